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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_is_the_programs_own() {
        assert_eq!(
            read_processed("processed 3 insns (limit 1)\nx\nprocessed 12 insns (limit 1)\n"),
            Some(12)
        );
        assert_eq!(read_processed("nothing"), None);
    }
}
