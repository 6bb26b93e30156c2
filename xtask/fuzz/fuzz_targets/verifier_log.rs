//! `explain`: any text, read in one piece and in two, has one explanation, and nothing in it could
//! take over a terminal.

#![no_main]

use bpf_verifier_log::{LogReader, explain_log};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = explain_log(input);
    let middle = input
        .first()
        .map_or(0, |byte| usize::from(*byte) % input.len());
    let mut reader = LogReader::new();
    reader.push(&input[..middle]);
    reader.push(&input[middle..]);
    assert_eq!(format!("{:?}", reader.finish()), format!("{whole:?}"));
    for program in &whole.programs {
        let (read, trace) = (program.read_steps(input), program.trace(input));
        assert_eq!(trace.decisive.is_some(), read.decisive.is_some());
        // Its form for developers has each text of it, with control characters as escapes.
        let shown = format!("{program:?}{read:?}{trace:?}");
        assert!(!shown.contains("\\u{") || !has_control(&shown), "{shown}");
    }
});

/// An escape of a character that is one for terminals too: `\u{1b}`.
fn has_control(shown: &str) -> bool {
    shown.split("\\u{").skip(1).any(|rest| {
        let code = rest.split('}').next().unwrap_or_default();
        let code = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        code.is_some_and(char::is_control)
    })
}
