//! The verifier's log. It can be tens of megabytes long, and a serial line carries less than one in
//! a second.

/// Bytes that are kept of the beginning and of the end.
const KEPT: usize = 48 << 10;

/// The beginning and the end, whole lines each, with a word about what is missing.
pub fn shorten_log(log: &str) -> String {
    if log.len() <= 2 * KEPT {
        return log.to_owned();
    }
    let head = log[..floor(log, KEPT)].rfind('\n').map_or(0, |at| at + 1);
    let tail = floor(log, log.len() - KEPT);
    let tail = log[tail..].find('\n').map_or(log.len(), |at| tail + at + 1);
    let lines = log[head..tail].lines().count();
    format!("{}[{lines} lines left out]\n{}", &log[..head], &log[tail..])
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_ends() {
        let log: String = (0..20_000)
            .map(|number| format!("line {number} é\n"))
            .collect();
        let short = shorten_log(&log);
        assert!(short.starts_with("line 0 é\n") && short.ends_with("line 19999 é\n"));
        assert!(short.len() < 2 * KEPT + 40);
        let kept = short
            .lines()
            .filter(|line| line.starts_with("line "))
            .count();
        assert!(short.contains(&format!("\n[{} lines left out]\nline ", 20_000 - kept)));
    }

    #[test]
    fn a_short_log_stays_as_it_is() {
        assert_eq!(shorten_log("one\ntwo"), "one\ntwo");
    }
}
