//! Holds the table of messages to those of real kernels: `data/messages.tsv` has every message of
//! the verifiers of eleven kernels from Linux 5.10 to 7.3, with a `y` for each of these that has it
//! in its image. To write the table again, from the images of its kernels:
//!
//! ```text
//! cargo run --release -p capture-names -- messages data/messages.tsv 5.10=VMLINUX 6.1=...
//! ```
//!
//! Then the test `write_ages` here says in `kernel.templates` which kernels print each message.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::explain::explained_program::LogVerdict;
use crate::explain::explanation::explain_log;
use crate::grammar::message_age::KERNEL_SERIES;
use crate::grammar::table::{FoundMessage, KERNEL_TEMPLATES, MessageTable, read_list, split_age};
use crate::grammar::template::{MessageRole, MessageTemplate};
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
    let line = LogLine::read_line(&InputLine::from_text(&text));
    match line.kind {
        LineKind::Messages(found)
            if found
                .iter()
                .any(|found| found.message_role() == MessageRole::Unexplained) =>
        {
            Fate::KnownToBeUnknown
        }
        LineKind::Messages(found) if found.iter().any(may_be_reason) => Fate::Explained,
        LineKind::Other if !is_part => Fate::Missing,
        _ => Fate::NoError,
    }
}

/// Not what good logs have too, and not what loaders print on their way.
fn may_be_reason(found: &FoundMessage) -> bool {
    let is_loaders = !found.from_kernel && found.message_role() == MessageRole::Decoy;
    found.message_role() != MessageRole::Noise && !is_loaders
}

fn templates() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = MESSAGES.lines().filter(|line| !line.starts_with("# "));
    let messages = rows.filter_map(|row| row.rsplit_once('\t'));
    // Of several lines, each is a message.
    messages.flat_map(|(lines, flags)| lines.split("\\n").map(move |line| (line, flags)))
}

#[test]
fn every_message_of_eleven_kernels_is_explained_or_known_to_be_unknown() {
    let missing: Vec<_> = templates()
        .filter(|(text, _)| fate(text) == Fate::Missing)
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        missing, [""; 0],
        "neither in kernel.templates nor part of a log"
    );
    assert_eq!(templates().count(), 1237);
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
    const END: &str = "processed 0 insns (limit 1000000) max_states_per_insn 0";
    for (template, _) in templates().filter(|(text, _)| fate(text) == Fate::Explained) {
        let text = example(template);
        // A message of a kfunc's arguments means something only after the call.
        let is_explained = ["", "0: (85) call bpf_kfunc#93595\n"].iter().any(|insn| {
            let log = format!("0: R1=ctx() R10=fp0\n{insn}{text}\n{END}");
            explain_log(log.as_bytes()).verdict == LogVerdict::Explained
        });
        assert!(is_explained, "{text}");
    }
}

/// Which kernels print each template, as `data/messages.tsv` has it: `6.12-7.1`. A template is no
/// older or younger than the messages that it fits; where kernels in between lack it, nothing is
/// said.
fn find_ages() -> BTreeMap<String, String> {
    let mut kernels: BTreeMap<String, [bool; KERNEL_SERIES.len()]> = BTreeMap::new();
    for (message, flags) in templates() {
        for found in MessageTable::get_table().all_in(&example(message)) {
            let printed = kernels.entry(name_template(found.template)).or_default();
            for (printed, flag) in printed.iter_mut().zip(flags.bytes()) {
                *printed |= found.from_kernel && flag == b'y';
            }
        }
    }
    let described = |(template, printed)| Some((template, describe_range(printed)?));
    kernels.into_iter().filter_map(described).collect()
}

fn name_template(template: &MessageTemplate) -> String {
    format!("{:?}", template.clone().with_age(None))
}

fn describe_range(printed: [bool; KERNEL_SERIES.len()]) -> Option<String> {
    let first = printed.iter().position(|printed| *printed)?;
    let last = printed.iter().rposition(|printed| *printed)?;
    let is_whole = printed[first..=last].iter().all(|printed| *printed);
    is_whole.then(|| format!("{}-{}", KERNEL_SERIES[first], KERNEL_SERIES[last]))
}

/// `kernel.templates` with the ages that the table gives.
fn write_templates() -> String {
    let ages = find_ages();
    let mut templates = read_list(KERNEL_TEMPLATES).into_iter().peekable();
    let mut text = String::new();
    for line in KERNEL_TEMPLATES.lines() {
        let (format, _) = split_age(line);
        text += format;
        if let Some((section, _)) = templates.next_if(|(_, template)| *template == line) {
            let template = MessageTemplate::parse_template(section, format);
            if let Some(age) = ages.get(&name_template(&template)) {
                text += "\t";
                text += age;
            }
        }
        text += "\n";
    }
    text
}

#[test]
fn the_heading_of_the_table_names_the_kernels() {
    let heading = MESSAGES.lines().next().unwrap_or_default();
    assert_eq!(heading, format!("# {}", KERNEL_SERIES.join(" ")));
    let is_row = |(_, flags): (&str, &str)| flags.len() == KERNEL_SERIES.len();
    assert!(templates().all(is_row));
}

#[test]
fn every_template_says_since_and_until_when_it_is_printed() {
    for (one, other) in write_templates().lines().zip(KERNEL_TEMPLATES.lines()) {
        assert_eq!(one, other, "run the test `write_ages`");
    }
    let with_age = KERNEL_TEMPLATES.lines().filter(|line| line.contains('\t'));
    assert!(with_age.count() > 800);
}

/// After a change of either table: `cargo test -p bpf-verifier-log --lib -- --ignored write_ages`
#[test]
#[ignore = "writes a file of the source"]
fn write_ages() {
    let path = "src/grammar/kernel.templates";
    if let Err(error) = std::fs::write(path, write_templates()) {
        panic!("cannot write {path}: {error}");
    }
}

#[test]
fn a_message_that_is_in_no_kernel_is_missing() {
    assert_eq!(fate("the moon is in the wrong %s"), Fate::Missing);
}
