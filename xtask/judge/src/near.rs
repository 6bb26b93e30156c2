//! The kernel's name that is nearest to one that it does not have. It is looked up only when
//! something failed: that takes a second.

use std::fs;

use crate::hook::{Hook, Placed};

/// What a library said about these programs, and for each hook that this kernel does not have, the
/// nearest that it has.
pub fn with_names(said: String, programs: &[Placed]) -> String {
    let Ok(symbols) = fs::read_to_string("/proc/kallsyms") else {
        return said;
    };
    let missing: Vec<String> = programs
        .iter()
        .filter_map(|program| missing(program, &symbols))
        .collect();
    [vec![said], missing].concat().join("\n")
}

/// Why a program could not be attached.
pub fn attach_error(program: &Placed, said: &str) -> anyhow::Error {
    let targets = program.attach_targets().join(" or ");
    let mut said = format!("cannot attach {} to {targets}: {said}", program.name);
    let denied = said.contains("EACCES") || said.contains("Permission denied");
    if matches!(program.hook, Hook::Tracepoint(_)) && denied {
        // The verifier does not know how long the record is; perf_event_set_bpf_prog compares.
        said += &format!(
            "\nit reads beyond the end of the record, whose fields are in events/{targets}/format"
        );
    }
    anyhow::Error::msg(with_names(said, std::slice::from_ref(program)))
}

/// Nothing, if this kernel has one of the program's hooks, or if that cannot be told.
fn missing(program: &Placed, symbols: &str) -> Option<String> {
    let prefix = match program.hook {
        Hook::KProbe(_) | Hook::KRetProbe(_) | Hook::FEntry(_) | Hook::FExit(_) => "",
        // For each of its hooks the kernel has an empty function with this name.
        Hook::Lsm(_) => "bpf_lsm_",
        _ => return None,
    };
    let targets = program.attach_targets();
    let functions = || functions(symbols).filter_map(|name| name.strip_prefix(prefix));
    let bare = |target: &str| target.split('+').next().unwrap_or_default().to_owned();
    let wanted: Vec<String> = targets.iter().map(|target| bare(target)).collect();
    if functions().any(|name| wanted.iter().any(|wanted| wanted == name)) {
        return None;
    }
    let nearest = nearest(wanted.first()?, functions());
    let nearest = nearest.map_or_else(String::new, |name| format!("; the nearest is {name}"));
    Some(format!(
        "this kernel has no {}{nearest}",
        wanted.join(" and no ")
    ))
}

/// The names in the code of /proc/kallsyms: `ffffffff81000000 T vfs_read`.
fn functions(symbols: &str) -> impl Iterator<Item = &str> {
    symbols.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (kind, name) = (words.next()?, words.next()?);
        matches!(kind, "t" | "T" | "w" | "W").then(|| name.split('\t').next().unwrap_or(name))
    })
}

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = wanted.len() / 3;
    let of_similar_length = |name: &&str| name.len().abs_diff(wanted.len()) <= limit;
    let with_distance = |name| (strsim::osa_distance(name, wanted), name);
    let (distance, name) = names.filter(of_similar_length).map(with_distance).min()?;
    (distance <= limit).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str = "ffffffff81000000 T vfs_read\n\
        ffffffff81000010 t vfs_readv\n\
        ffffffff81000020 D vfs_reed\n\
        ffffffff81000030 T bpf_lsm_path_chmod\n\
        ffffffffc0000000 t veth_xmit\t[veth]\n";

    fn missing_of(hook: Hook, section: &str) -> Option<String> {
        missing(
            &Placed {
                name: "it",
                hook,
                section: section.to_owned(),
            },
            SYMBOLS,
        )
    }

    #[test]
    fn a_function_that_the_kernel_lacks_gets_the_nearest() {
        let told = missing_of(Hook::FExit("vfs_read"), "fexit/vfs_reed").unwrap();
        assert_eq!(told, "this kernel has no vfs_reed; the nearest is vfs_read");
        let told = missing_of(Hook::Lsm("path_chmod"), "lsm/path_chmd").unwrap();
        assert_eq!(
            told,
            "this kernel has no path_chmd; the nearest is path_chmod"
        );
        let told = missing_of(Hook::KProbe(&["do_unlinkat", "something_else"]), "kprobe").unwrap();
        assert_eq!(told, "this kernel has no do_unlinkat and no something_else");
    }

    #[test]
    fn a_function_that_is_there_is_not_told() {
        assert_eq!(
            missing_of(Hook::KProbe(&["gone", "veth_xmit"]), "kprobe"),
            None
        );
        assert_eq!(
            missing_of(Hook::KProbe(&["vfs_read"]), "kprobe/vfs_read+4"),
            None
        );
        assert_eq!(missing_of(Hook::Xdp, "xdp"), None);
    }
}
