//! Holds the table of messages to those of real kernels: `data/messages.tsv` has every message
//! template of the verifiers of Linux 5.10, 6.1, 6.12, 6.18, 7.2 and 7.3, with a `y` for each of
//! these that has it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::explain::explained_program::LogVerdict;
use crate::explain::explanation::explain_log;
use crate::grammar::template::MessageRole;
use crate::input::line::{LineKind, LogLine};
use crate::input::lines::InputLine;
use crate::log::insn;
use crate::log::state;

const MESSAGES: &str = include_str!("../../data/messages.tsv");

/// What became of a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Explained,
    KnownToBeUnknown,
    /// Part of a log that is no error: an instruction, a state, statistics.
    NoError,
    Missing,
}

/// The message with something put in for each `%d` and `%s`.
fn example(template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        text += &rest[..at];
        let format = &rest[at + 1..];
        let letter = format
            .find(|c: char| c.is_ascii_lowercase() && c != 'l')
            .unwrap_or(0);
        let is_joined = text.ends_with('7');
        text += match format.as_bytes().get(letter) {
            Some(b's') if text.is_empty() && format[letter + 1..].starts_with(' ') => "R1",
            Some(b's') if format[letter + 1..].starts_with(['_', '(']) => "bpf_spin",
            Some(b's') if is_joined => " indirect",
            Some(b's') => "task_struct",
            Some(b'c') if letter > 0 => " ",
            Some(b'c') => "r",
            Some(b'x') if letter == 2 => "61",
            _ => "7",
        };
        rest = &format[letter + 1..];
    }
    text + rest
}

fn fate(template: &str) -> Fate {
    let text = example(template);
    let is_part = text.starts_with('(') && insn::find_insn(&format!("0: {text}")).is_some();
    let is_part = is_part
        || (text.starts_with(',')
            && state::parse_state(&format!("R1=scalar(id=0{text})")).is_some());
    let is_part = is_part
        || state::parse_state(&text).is_some()
        || state::parse_state(&format!("fp-8{text}")).is_some();
    let line = LogLine::read_line(&InputLine {
        number: 1,
        start: 0,
        bytes: text.as_bytes(),
        escaped: false,
    });
    match line.kind {
        LineKind::Messages(found)
            if found
                .iter()
                .any(|found| found.message_role() == MessageRole::Unexplained) =>
        {
            Fate::KnownToBeUnknown
        }
        LineKind::Messages(found)
            if found
                .iter()
                .any(|found| found.message_role() != MessageRole::Noise) =>
        {
            Fate::Explained
        }
        LineKind::Other if !is_part => Fate::Missing,
        _ => Fate::NoError,
    }
}

fn templates() -> impl Iterator<Item = (&'static str, &'static str)> {
    MESSAGES.lines().filter_map(|line| line.rsplit_once('\t'))
}

#[test]
fn every_message_of_six_kernels_is_explained_or_known_to_be_unknown() {
    let missing: Vec<_> = templates()
        .filter(|(text, _)| fate(text) == Fate::Missing)
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        missing, [""; 0],
        "neither in kernel.templates nor part of a log"
    );
    assert_eq!(templates().count(), 1009);
    let count = |wanted| templates().filter(|(text, _)| fate(text) == wanted).count();
    let counts = (
        count(Fate::Explained),
        count(Fate::KnownToBeUnknown),
        count(Fate::NoError),
    );
    std::println!("explained, known to be unknown, no error: {counts:?}");
    assert!(counts.0 > 800, "{counts:?}");
}

#[test]
fn an_explained_message_at_the_end_of_a_log_is_the_reason() {
    for (template, _) in templates().filter(|(text, _)| fate(text) == Fate::Explained) {
        let text = example(template);
        let log = format!(
            "0: R1=ctx() R10=fp0\n{text}\nprocessed 0 insns (limit 1000000) max_states_per_insn 0"
        );
        assert_eq!(
            explain_log(log.as_bytes()).verdict,
            LogVerdict::Explained,
            "{text}"
        );
    }
}

#[test]
fn a_message_that_is_in_no_kernel_is_missing() {
    assert_eq!(fate("the moon is in the wrong %s"), Fate::Missing);
}
