//! What became of a program.

pub enum Verdict {
    Accepted,
    /// With the verifier's log.
    Rejected(String),
}

/// The verifier's reason: the line before its summary. Since Linux 7.3 a report for people follows, and the reason is
/// the line before that.
pub fn reason(log: &str) -> Option<&str> {
    // ANCHOR: reason
    let lines: Vec<&str> = log.lines().collect();
    let end = lines
        .iter()
        .position(|line| line.starts_with("Verification failed:"))
        .or_else(|| lines.iter().rposition(|line| line.starts_with("processed ")))?;
    lines[..end].iter().rev().find(|line| !is_statistics(line)).copied()
    // ANCHOR_END: reason
}

/// What aya asks for and libbpf does not.
fn is_statistics(line: &str) -> bool {
    line.trim().is_empty()
        || ["verification time ", "stack depth ", "subprog "].iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_comes_before_the_summary() {
        let log = "0: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\n\
            verification time 58 usec\nstack depth 8\nprocessed 3 insns (limit 1000000)\n";
        assert_eq!(reason(log), Some("R0 invalid mem access 'scalar'"));
    }

    #[test]
    fn the_report_of_linux_7_3_is_left_out() {
        let log = "R0 invalid mem access 'scalar'\n\nVerification failed: Register Type Safety: x\n\
            Reason:\n  R0 is a number\nprocessed 3 insns (limit 1000000)\n";
        assert_eq!(reason(log), Some("R0 invalid mem access 'scalar'"));
    }

    #[test]
    fn a_log_that_was_cut_off_has_no_reason() {
        assert_eq!(reason("0: (b7) r0 = 0\n"), None);
        assert_eq!(reason(""), None);
    }
}
