//! The verifier's log, and the reason in it.

/// What happened to a program that was given to the kernel.
pub enum Loaded {
    Accepted,
    /// With the verifier's log.
    Rejected(String),
}

/// The verifier's reason, of one or two lines: what comes after the last instruction that it
/// followed, and before its summary. Since Linux 7.3 there is a longer report between the reason
/// and the summary.
pub fn find_reason(log: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = log.lines().collect();
    let end = find_end(&lines)?;
    let instruction = lines[..end].iter().rposition(|line| is_instruction(line));
    let begin = instruction.map_or(0, |position| position + 1);
    let mut reason = lines[begin..end].to_vec();
    reason.retain(|line| !is_detail(line));
    (!reason.is_empty()).then_some(reason)
}

fn find_end(lines: &[&str]) -> Option<usize> {
    let report = lines
        .iter()
        .position(|line| line.starts_with("Verification failed:"));
    let summary = lines
        .iter()
        .rposition(|line| line.starts_with("processed "));
    report.or(summary)
}

/// Such as `12: (79) r1 = *(u64 *)(r0 +0)`.
fn is_instruction(line: &str) -> bool {
    match line.split_once(": (") {
        Some((number, _)) => number.parse::<u32>().is_ok(),
        None => false,
    }
}

/// The registers below an instruction (up to Linux 5.17, after a space), and the statistics that
/// aya asks for and libbpf does not.
fn is_detail(line: &str) -> bool {
    let starts = [" ", "verification time ", "stack depth ", "subprog "];
    line.is_empty() || starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_comes_before_the_summary() {
        let log = "0: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\n\
            verification time 58 usec\nstack depth 8\nprocessed 3 insns (limit 1000000)\n";
        assert_eq!(
            find_reason(log).unwrap(),
            ["R0 invalid mem access 'scalar'"]
        );
    }

    #[test]
    fn a_reason_may_have_two_lines() {
        let log = "3: (71) r0 = *(u8 *)(r1 +23)\n R1_w=pkt(id=0,off=0,r=14,imm=0)\n\
            invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)\n\
            R1 offset is outside of the packet\n\
            processed 4 insns (limit 1000000)\n";
        let [access, place] = find_reason(log).unwrap()[..] else {
            panic!("not two lines")
        };
        assert!(access.starts_with("invalid access") && place.ends_with("of the packet"));
    }

    #[test]
    fn the_report_of_linux_7_3_is_left_out() {
        let log = "R0 invalid mem access 'scalar'\n\nVerification failed: Register Type Safety: x\n\
            Reason:\n  R0 is a number\nprocessed 3 insns (limit 1000000)\n";
        assert_eq!(
            find_reason(log).unwrap(),
            ["R0 invalid mem access 'scalar'"]
        );
    }

    #[test]
    fn a_log_that_was_cut_off_has_no_reason() {
        assert_eq!(find_reason("0: (b7) r0 = 0\n"), None);
        assert_eq!(find_reason(""), None);
    }
}
