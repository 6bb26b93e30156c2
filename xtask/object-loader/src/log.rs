//! What the verifier's log says of a program.

/// "processed 12 insns (limit 1000000) ...": what the verifier followed. Kernels before 5.16 tell
/// it nowhere else.
pub fn read_processed(log: &str) -> Option<u32> {
    let rest = log
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("processed "))?;
    rest.split(' ').next()?.parse().ok()
}

/// Whether the verifier had something against the program: statistics come with every log.
pub fn has_error(log: &str) -> bool {
    const STATISTICS: [&str; 5] = [
        "processed ",
        "verification time ",
        "stack depth ",
        "insns processed ",
        "subprog ",
    ];
    let mut lines = log.lines().filter(|line| !line.trim().is_empty());
    lines.any(|line| !STATISTICS.iter().any(|start| line.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_no_error() {
        let statistics = "verification time 5 usec\nstack depth 0+8\n\
            processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0\n";
        assert!(!has_error("") && !has_error(statistics));
        // Since 7.3, one for each function.
        let function = "subprog 0 (probe) main insns_self 5 insns_total 5 stack 0\n";
        assert!(!has_error(&format!("stack depth max 0\n{function}")));
        assert!(has_error(&format!("R0 !read_ok\n{statistics}")));
    }

    #[test]
    fn the_last_count_is_the_programs_own() {
        assert_eq!(
            read_processed("processed 3 insns (limit 1)\nx\nprocessed 12 insns (limit 1)\n"),
            Some(12)
        );
        assert_eq!(read_processed("nothing"), None);
    }
}
