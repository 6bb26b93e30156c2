//! All known messages, and a quick way to find the one that a text begins with.
//!
//! `kernel.templates` holds what the verifier prints, `outside.templates` what comes before it or
//! around it: compilers, linkers, loaders, the system call's error. Both are lists of
//! [`MessageTemplate`]s under the slug of their class. After a tabulator, `kernel.templates` says
//! which kernels print the message.

use alloc::vec;
use alloc::vec::Vec;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use once_cell::race::OnceBox;

use crate::classes::{Class, UnknownClass};
use crate::grammar::btf_line::find_refused_type;
use crate::grammar::needle::Needle;
use crate::grammar::template::{MessageRole, MessageTemplate, Section};
use crate::grammar::words::{find_word_starts, measure_register};

pub const KERNEL_TEMPLATES: &str = include_str!("kernel.templates");
const OUTSIDE_TEMPLATES: &str = include_str!("outside.templates");

/// A message found in a line.
#[derive(Clone, Copy, Debug)]
pub struct FoundMessage {
    pub template: &'static MessageTemplate,
    /// Where in the line it begins.
    pub start: usize,
    pub end: usize,
    /// The verifier itself prints it.
    pub from_kernel: bool,
}

impl FoundMessage {
    pub fn message_role(&self) -> MessageRole {
        self.template.role
    }
}

#[derive(Debug)]
struct TableEntry {
    template: MessageTemplate,
    from_kernel: bool,
}

/// So many bytes of its first fixed text find a template.
const KEY: usize = 3;

#[derive(Debug)]
pub struct MessageTable {
    /// By the beginning of the template.
    plain: BTreeMap<[u8; KEY], Vec<TableEntry>>,
    /// By what comes after the register that the template begins with.
    register: BTreeMap<[u8; KEY], Vec<TableEntry>>,
    /// The first two bytes of all messages: most words of a text begin with others.
    beginnings: Vec<bool>,
    /// What stands for the lines of BTF's own log.
    refused_type: MessageTemplate,
}

impl MessageTable {
    pub fn get_table() -> &'static Self {
        static TABLE: OnceBox<MessageTable> = OnceBox::new();
        TABLE.get_or_init(|| {
            let mut table = Self::empty();
            table.add(KERNEL_TEMPLATES, true);
            table.add(OUTSIDE_TEMPLATES, false);
            Box::new(table)
        })
    }

    fn empty() -> Self {
        let mut beginnings = vec![false; 1 << 16];
        // Registers and arguments: R1, *(R11-8), arg#0.
        beginnings[first_two(b"*(")] = true;
        beginnings[first_two(b"ar")] = true;
        for digit in b'0'..=b'9' {
            beginnings[first_two(&[b'R', digit])] = true;
        }
        Self {
            plain: BTreeMap::new(),
            register: BTreeMap::new(),
            beginnings,
            refused_type: MessageTemplate::parse_template(
                Section::Class(Class::BtfRejected),
                "[%d] %s, and at the end what is wrong with this type",
            ),
        }
    }

    fn add(&mut self, list: &'static str, from_kernel: bool) {
        for (section, line) in read_list(list) {
            let (format, age) = split_age(line);
            let template = MessageTemplate::parse_template(section, format).with_age(age);
            let Some(key) = key(template.first_literal().as_bytes()) else {
                continue;
            };
            let map = if template.is_about_register() {
                &mut self.register
            } else {
                self.beginnings[first_two(&key)] = true;
                &mut self.plain
            };
            let entries = map.entry(key).or_default();
            entries.push(TableEntry {
                template,
                from_kernel,
            });
        }
    }

    /// The messages in a line, one after the other.
    pub fn all_in(&'static self, line: &str) -> Vec<FoundMessage> {
        if let Some(found) = self.refused_type_in(line) {
            return vec![found];
        }
        let mut found: Vec<FoundMessage> = Vec::new();
        for start in find_word_starts(line) {
            if !self.is_beginning(line, start) {
                continue;
            }
            let is_free = match found.last() {
                Some(before) => may_follow(before, line, start),
                None => true,
            };
            if is_free {
                found.extend(self.at(line, start));
            }
        }
        found
    }

    fn refused_type_in(&'static self, line: &str) -> Option<FoundMessage> {
        // All lines about types have one of these.
        static WORDS: [Needle; 2] = [Needle::new("] "), Needle::new("offset=")];
        if !WORDS.iter().any(|word| word.is_in(line)) {
            return None;
        }
        Some(FoundMessage {
            template: &self.refused_type,
            start: find_refused_type(line)?,
            end: line.len(),
            from_kernel: false,
        })
    }

    /// A quick look at two letters.
    fn is_beginning(&self, line: &str, start: usize) -> bool {
        self.beginnings[first_two(&line.as_bytes()[start..])]
    }

    /// The message that a text breaks off in, and how long that part is; `None` if several would do
    /// that mean different things.
    pub fn broken_off(&'static self, text: &str) -> Option<(&'static MessageTemplate, usize)> {
        let mut broken = Vec::new();
        for TableEntry {
            template,
            from_kernel,
        } in self.entries(text)
        {
            let (length, fixed) = template.broken_off(text);
            if *from_kernel && template.role == MessageRole::Error && fixed >= LEAST_BROKEN {
                broken.push((template, length, fixed));
            }
        }
        let (template, length, most) = *broken.iter().max_by_key(|(_, _, fixed)| fixed)?;
        for (other, _, fixed) in broken {
            if fixed == most && other.class != template.class {
                return None;
            }
        }
        Some((template, length))
    }

    /// The surest message that begins here.
    fn at(&'static self, line: &str, start: usize) -> Option<FoundMessage> {
        let text = line.get(start..).filter(|text| text.len() >= KEY)?;
        let mut surest = None;
        let mut most = (0, false);
        for entry in self.entries(text) {
            let Some(length) = entry.template.length_in(text) else {
                continue;
            };
            let weight = (entry.template.literal_length(), entry.from_kernel);
            let is_message = ends_well(text, length) && !has_placeholder(&text[..length]);
            if is_message && weight >= most {
                most = weight;
                surest = Some(FoundMessage {
                    template: &entry.template,
                    start,
                    end: start + length,
                    from_kernel: entry.from_kernel,
                });
            }
        }
        surest
    }

    /// The messages that may begin a text.
    fn entries(&'static self, text: &str) -> impl Iterator<Item = &'static TableEntry> {
        let plain = key(text.as_bytes()).and_then(|key| self.plain.get(&key));
        let register = measure_register(text)
            .and_then(|length| key(&text.as_bytes()[length..]))
            .and_then(|key| self.register.get(&key));
        plain.into_iter().chain(register).flatten()
    }
}

/// So much of the fixed text must be there, or it could be plain English.
const LEAST_BROKEN: usize = 21;

/// A message that ends with any text takes all that is left of the line, also a second message that
/// a loader put after it with a colon.
fn may_follow(before: &FoundMessage, line: &str, start: usize) -> bool {
    let is_own_text = before.message_role() == MessageRole::Noise
        || before.template.class == Some(Class::VerifierBug);
    start >= before.end || (line[..start].ends_with(": ") && !is_own_text)
}

/// The lines of a list that are templates, with the section that each is in.
pub fn read_list(list: &'static str) -> Vec<(Section, &'static str)> {
    let mut section = Section::Unexplained;
    let mut templates = Vec::new();
    for line in list.lines() {
        if let Some(heading) = find_heading(line) {
            // A test finds the headings that name no class.
            section = parse_section(heading).unwrap_or(Section::Unexplained);
        } else if !line.is_empty() && !line.starts_with("# ") {
            templates.push((section, line));
        }
    }
    templates
}

/// A line of a list, and which kernels print it: what comes after a tabulator. A test writes that
/// from `data/messages.tsv`.
pub fn split_age(line: &str) -> (&str, Option<&str>) {
    match line.split_once('\t') {
        Some((format, age)) => (format, Some(age)),
        None => (line, None),
    }
}

/// `noise` of `[noise]`
fn find_heading(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

fn parse_section(heading: &str) -> Result<Section, UnknownClass> {
    match heading {
        "noise" => Ok(Section::Noise),
        "unknown" => Ok(Section::Unexplained),
        slug => slug.parse().map(Section::Class),
    }
}

/// The first two bytes as an index.
fn first_two(text: &[u8]) -> usize {
    match text.first_chunk() {
        Some(bytes) => usize::from(u16::from_be_bytes(*bytes)),
        None => 0,
    }
}

fn key(text: &[u8]) -> Option<[u8; KEY]> {
    text.first_chunk().copied()
}

/// A message does not end within a word.
/// Who describes a message puts names into it: `invalid mem access '{kind}'`, `'%s'`.
fn has_placeholder(message: &str) -> bool {
    const MARKS: [&str; 4] = ["'{", "%s", "%d", "%u"];
    MARKS.iter().any(|mark| message.contains(mark))
}

fn ends_well(text: &str, length: usize) -> bool {
    let last = text[..length].chars().next_back();
    let next = text[length..].chars().next();
    !(last.is_some_and(char::is_alphanumeric)
        && next.is_some_and(|next| next.is_alphanumeric() || next == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn classes_in(line: &str) -> Vec<Class> {
        let found = MessageTable::get_table().all_in(line);
        found
            .iter()
            .filter_map(|found| found.template.class)
            .collect()
    }

    #[test]
    fn a_message_is_found_after_any_prefix() {
        for prefix in [
            "",
            "libbpf: ",
            "2024-03-27T06:20:40.061Z stderr F ",
            "> > ",
            "msg=\"",
            "Nov 22 06:31:59 host x[1]: ",
            "+",
            "// ",
            "报错：",
            "<b>",
        ] {
            assert_eq!(
                classes_in(&format!("{prefix}R2 !read_ok")),
                [Class::UninitReg],
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_line_may_hold_two() {
        let line = "permission denied: invalid access to map value, value_size=1 off=1 size=1: R1 \
                    max value is outside of the allowed memory range (9 line(s) omitted)";
        assert_eq!(
            classes_in(line).split_last().unwrap().1.last(),
            Some(&Class::MapValueBounds)
        );
        let roles: Vec<_> = MessageTable::get_table()
            .all_in(line)
            .iter()
            .map(FoundMessage::message_role)
            .collect();
        assert!(
            roles.ends_with(&[MessageRole::Error, MessageRole::Detail]),
            "{roles:?}"
        );
    }

    #[test]
    fn people_write_down_messages_without_the_register() {
        assert_eq!(
            classes_in(" * pointer arithmetic on map_value_or_null prohibited\")"),
            [Class::PtrArithProhibited]
        );
    }

    #[test]
    fn what_describes_a_message_is_none() {
        assert_eq!(classes_in("R{N} invalid mem access '{type}'"), []);
        assert_eq!(classes_in("invalid mem access '%s'"), []);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(classes_in("R2 !read_okay"), []);
        assert_eq!(classes_in("xR2 tried to subtract pointer from scalar"), []);
        assert_eq!(classes_in("an unreachable insnXYZ"), []);
    }

    const LISTS: [(&str, &str); 2] = [
        ("kernel.templates", KERNEL_TEMPLATES),
        ("outside.templates", OUTSIDE_TEMPLATES),
    ];

    #[test]
    fn every_heading_names_a_class() {
        for (file, list) in LISTS {
            for (line, number) in list.lines().zip(1..) {
                if let Some(heading) = find_heading(line)
                    && let Err(error) = parse_section(heading)
                {
                    panic!("{file}:{number}: {error}");
                }
            }
        }
    }

    #[test]
    fn no_template_is_listed_twice() {
        let mut seen = BTreeMap::new();
        for (file, list) in LISTS {
            for (section, line) in read_list(list) {
                let template = MessageTemplate::parse_template(section, split_age(line).0);
                let parts = format!("{:?}", template.parts());
                let other = seen.insert(parts, section);
                assert_eq!(other, None, "{file}: {line}, also in {section:?}");
            }
        }
    }

    #[test]
    fn every_template_can_be_found() {
        for (file, list) in LISTS {
            assert!(list.starts_with("# ") || list.starts_with('['), "{file}");
            for (section, line) in read_list(list) {
                let template = MessageTemplate::parse_template(section, split_age(line).0);
                assert!(
                    template.first_literal().len() >= KEY,
                    "{file}: {line} is too short to be found"
                );
            }
        }
    }
}
