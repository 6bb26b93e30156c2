//! Loaders that write their error and the first line of the log, or the only one, into one line:
//!
//! ```text
//! Error: the BPF_PROG_LOAD syscall returned EINVAL (os error 22). Verifier output: 0: (b7) r0 = 0
//! program a: load program: permission denied: R1 invalid mem access 'scalar' (52 line(s) omitted)
//! ```

use crate::grammar::needle::Needle;
use crate::input::lines::InputLine;

/// An error of a loader, and what the verifier printed after it.
#[derive(Debug)]
pub struct JoinedError<'a> {
    pub error: InputLine<'a>,
    pub log: InputLine<'a>,
    /// There is no more of the log than this line (cilium/ebpf).
    pub is_one_line: bool,
}

/// Finds where the log begins in a line that begins with an error.
pub fn split_joined_error<'a>(line: &InputLine<'a>) -> Option<JoinedError<'a>> {
    static IN_BOTH: Needle = Needle::new("erifier");
    // aya's `Display`, and the `Debug` of its error, with the log in quotation marks or without.
    static AYA: [Needle; 2] = [
        Needle::new("Verifier output:"),
        Needle::new(" verifier_log: "),
    ];
    if IN_BOTH.find_in(line.bytes).is_some() {
        for before in &AYA {
            if let Some(start) = before.find_end(line.bytes) {
                return Some(split_line(line, start, false));
            }
        }
    }
    let start = find_after_cause(line.bytes)?;
    Some(split_line(line, start, true))
}

/// Where the log begins after `load program: permission denied: `.
fn find_after_cause(bytes: &[u8]) -> Option<usize> {
    static LOAD: Needle = Needle::new("load program: ");
    static COLON: Needle = Needle::new(": ");
    /// `bad CO-RE relocation`
    const LONGEST_CAUSE: usize = 80;
    let cause = LOAD.find_end(bytes)?;
    let end = COLON.find_end(&bytes[cause..])?;
    let start = cause + end;
    (end <= LONGEST_CAUSE && start < bytes.len()).then_some(start)
}

fn split_line<'a>(line: &InputLine<'a>, start: usize, is_one_line: bool) -> JoinedError<'a> {
    let is_margin = |byte: &&u8| matches!(byte, b' ' | b'"' | b'\\');
    let margin = line.bytes[start..].iter().take_while(is_margin).count();
    let (error, log) = line.split_at(start + margin);
    JoinedError {
        error,
        log,
        is_one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<(&str, &str, bool)> {
        let joined = split_joined_error(&InputLine::from_text(text))?;
        assert_eq!(joined.log.place.start, joined.error.bytes.len() as u64);
        Some((
            str::from_utf8(joined.error.bytes).unwrap(),
            str::from_utf8(joined.log.bytes).unwrap(),
            joined.is_one_line,
        ))
    }

    #[test]
    fn the_log_begins_after_the_error() {
        for (error, log, is_one_line) in [
            (
                "the BPF_PROG_LOAD syscall returned x (os error 22). Verifier output: ",
                "0: (95) exit",
                false,
            ),
            (
                "the BPF_BTF_LOAD syscall failed. Verifier output: ",
                "",
                false,
            ),
            (
                "LoadError { io_error: Os { code: 7 }, verifier_log: \"",
                "0: x\" }",
                false,
            ),
            (
                "program a: load program: permission denied: ",
                "1: (95) exit: R0 !read_ok",
                true,
            ),
        ] {
            let text = [error, log].concat();
            assert_eq!(split(&text), Some((error, log, is_one_line)));
        }
    }

    #[test]
    fn other_lines_stay_whole() {
        for text in [
            "program a: load program: permission denied:",
            "load program: operation not permitted (MEMLOCK may be too low)",
            "0: (95) exit",
            "",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
