//! The causal path of a report of Linux 7.3, an event a line.
//!
//! ```text
//!   count @ count.bpf.c:16:24
//!   Source context:
//!   >>> 16 |         value = lookup(key);
//!          |         ^-- update: R0 changed from uninitialized value to nullable map value
//!          |             at offset 0
//!   Instruction context:
//!   >>>  7 | (85) call bpf_map_lookup_elem#1
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// `count @ count.bpf.c:16:24: update: R0 changed from uninitialized value to ... at offset 0`
pub fn summarize_path(lines: &[String]) -> Vec<String> {
    let margin = lines.first().map_or(0, |line| count_blanks(line));
    let mut events: Vec<String> = Vec::new();
    let mut in_note = false;
    for line in lines {
        let text = line.trim();
        let is_outer = count_blanks(line) == margin;
        let is_place = is_outer && !text.ends_with(':') && !text.starts_with(">>>");
        if let Some((_, note)) = text.split_once("^-- ") {
            in_note = true;
            extend_event(&mut events, ": ", note);
        } else if is_place {
            in_note = false;
            events.push(text.to_owned());
        } else if let Some(rest) = text.strip_prefix("| ").filter(|_| in_note) {
            extend_event(&mut events, " ", rest.trim());
        } else {
            in_note = false;
        }
    }
    events
}

fn count_blanks(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn extend_event(events: &mut [String], separator: &str, text: &str) {
    if let Some(event) = events.last_mut() {
        event.push_str(separator);
        event.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_place_and_its_note() {
        let lines = [
            "  count @ a.c:16:24",
            "  Source context:",
            "      15 | ",
            "  >>> 16 |         value = lookup(key);",
            "         |         ^-- update: R0 changed to nullable",
            "         |             map value",
            "      17 |         if (!value)",
            "  Instruction context:",
            "  >>>  7 | (85) call bpf_map_lookup_elem#1",
            "  insn 10",
        ];
        let events = summarize_path(&lines.map(str::to_owned));
        let update = "count @ a.c:16:24: update: R0 changed to nullable map value";
        assert_eq!(events, [update, "insn 10"]);
        assert_eq!(summarize_path(&[]), [""; 0]);
    }
}
