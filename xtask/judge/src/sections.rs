//! Sections that a library does not know.

/// With the nearest that it knows, and all of them. `known` are full names, such as `cgroup/dev`.
pub fn describe_unknown_section(
    library: &str,
    program: &str,
    section: &str,
    known: &[String],
) -> String {
    let kind = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let (wrong, mut kinds): (_, Vec<String>) =
        (kind(section), known.iter().map(|name| kind(name)).collect());
    kinds.dedup();
    let same_kind: Vec<&String> = known.iter().filter(|name| kind(name) == wrong).collect();
    if !same_kind.is_empty() {
        let list = same_kind
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        return format!(
            "{program} is in the section {section}, which {library} does not know; it knows: {list}"
        );
    }
    let nearest = kinds
        .iter()
        .min_by_key(|name| strsim::osa_distance(name, &wrong));
    let nearest = nearest.map_or("", String::as_str);
    format!(
        "{program} is in the section {section}, and {library} knows no {wrong}; the nearest is \
         {nearest}\n\
         {library}'s sections begin with: {}",
        kinds.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["kprobe", "kretprobe", "tracepoint", "xdp/devmap", "xdp"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn a_misspelt_section_gets_the_nearest() {
        assert_eq!(
            describe_unknown_section("libbpf", "count", "trcepoint/sched/exec", &known()),
            "count is in the section trcepoint/sched/exec, and libbpf knows no trcepoint; the \
             nearest is tracepoint\nlibbpf's sections begin with: kprobe, kretprobe, tracepoint, \
             xdp"
        );
    }

    #[test]
    fn a_section_with_a_wrong_end_gets_the_right_ones() {
        assert_eq!(
            describe_unknown_section("libbpf", "count", "xdp/eth0", &known()),
            "count is in the section xdp/eth0, which libbpf does not know; it knows: xdp/devmap, \
             xdp"
        );
    }
}
