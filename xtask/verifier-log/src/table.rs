//! All known messages, and a quick way to find the one that a text begins with.
//!
//! `kernel.templates` holds what the verifier prints, `outside.templates` what comes before it or
//! around it: compilers, linkers, loaders, the system call's error. Both are lists of [`Template`]s
//! under the name of their class.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::template::{Role, Template, register_length};

/// A message found in a line.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub template: &'static Template,
    /// Where in the line it begins.
    pub start: usize,
    pub end: usize,
    /// The verifier itself prints it.
    pub from_kernel: bool,
}

impl Found {
    pub fn role(&self) -> Role {
        self.template.role
    }
}

#[derive(Debug)]
struct Entry {
    template: Template,
    from_kernel: bool,
}

/// So many bytes of its first fixed text find a template.
const KEY: usize = 3;

#[derive(Debug)]
pub struct Table {
    /// By the beginning of the template.
    plain: HashMap<[u8; KEY], Vec<Entry>>,
    /// By what comes behind the register that the template begins with.
    register: HashMap<[u8; KEY], Vec<Entry>>,
    /// The first two bytes of all messages: most words of a text begin with others.
    beginnings: Vec<bool>,
}

impl Table {
    pub fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| {
            let mut table = Self::empty();
            table.add(include_str!("kernel.templates"), true);
            table.add(include_str!("outside.templates"), false);
            table
        })
    }

    fn empty() -> Self {
        let mut beginnings = vec![false; 1 << 16];
        // Registers and arguments: R1, *(R11-8), arg#0.
        beginnings[usize::from(u16::from_be_bytes(*b"*("))] = true;
        beginnings[usize::from(u16::from_be_bytes(*b"ar"))] = true;
        (b'0'..=b'9')
            .for_each(|digit| beginnings[usize::from(u16::from_be_bytes([b'R', digit]))] = true);
        Self {
            plain: HashMap::new(),
            register: HashMap::new(),
            beginnings,
        }
    }

    fn add(&mut self, list: &'static str, from_kernel: bool) {
        for (class, line) in entries(list) {
            let template = Template::parse(class, line);
            let map = if template.is_about_register() {
                &mut self.register
            } else {
                &mut self.plain
            };
            if let Some(key) = key(template.first_literal().as_bytes()) {
                self.beginnings[beginning(&key)] |= !template.is_about_register();
                map.entry(key).or_default().push(Entry {
                    template,
                    from_kernel,
                });
            }
        }
    }

    /// The messages in a line, one behind the other.
    pub fn all_in(&'static self, line: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for start in word_starts(line) {
            if self.is_beginning(line, start)
                && found
                    .last()
                    .is_none_or(|before| may_follow(before, line, start))
            {
                found.extend(self.at(line, start));
            }
        }
        found
    }

    /// A quick look at two letters.
    fn is_beginning(&self, line: &str, start: usize) -> bool {
        self.beginnings[beginning(&line.as_bytes()[start..])]
    }

    /// The message that a text breaks off in; `None` if several would do that mean different
    /// things.
    pub fn broken_off(&'static self, text: &str) -> Option<(&'static Template, usize)> {
        let known = self
            .entries(text)
            .filter(|entry| entry.from_kernel && entry.template.role == Role::Error);
        let broken = known.map(|entry| (&entry.template, entry.template.broken_off(text)));
        let broken: Vec<_> = broken
            .filter(|(_, (_, fixed))| *fixed >= LEAST_BROKEN)
            .collect();
        let (template, (length, most)) = *broken.iter().max_by_key(|(_, (_, fixed))| fixed)?;
        let is_same = |(other, (_, fixed)): &(&Template, (usize, usize))| {
            *fixed < most || other.class == template.class
        };
        broken.iter().all(is_same).then_some((template, length))
    }

    /// The surest message that begins here.
    fn at(&'static self, line: &str, start: usize) -> Option<Found> {
        let text = line.get(start..).filter(|text| text.len() >= KEY)?;
        self.entries(text)
            .filter_map(|entry| entry.template.length_in(text).map(|length| (entry, length)))
            .filter(|(_, length)| ends_well(text, *length))
            .max_by_key(|(entry, _)| (entry.template.weight(), entry.from_kernel))
            .map(
                |(
                    Entry {
                        template,
                        from_kernel,
                    },
                    length,
                )| Found {
                    template,
                    start,
                    end: start + length,
                    from_kernel: *from_kernel,
                },
            )
    }
}

impl Table {
    /// The messages that may begin a text.
    fn entries(&'static self, text: &str) -> impl Iterator<Item = &'static Entry> {
        let plain = key(text.as_bytes()).and_then(|key| self.plain.get(&key));
        let register = register_length(text)
            .and_then(|length| key(&text.as_bytes()[length..]))
            .and_then(|key| self.register.get(&key));
        plain.into_iter().chain(register).flatten()
    }
}

/// So much of the fixed text must be there, or it could be plain English.
const LEAST_BROKEN: usize = 21;

/// A message that ends with any text takes all that is left of the line, also a second message that
/// a loader put behind it with a colon.
fn may_follow(before: &Found, line: &str, start: usize) -> bool {
    let is_own_text = before.role() == Role::Noise || before.template.class == "verifier-bug";
    start >= before.end || (line[..start].ends_with(": ") && !is_own_text)
}

/// The templates of a list with the class that each stands under.
fn entries(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut class = "";
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .filter_map(move |line| {
            match line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                Some(name) => {
                    class = name;
                    None
                }
                None => Some((class, line)),
            }
        })
}

/// The names of all classes that have a template.
#[cfg(test)]
pub fn classes() -> impl Iterator<Item = &'static str> {
    let lists = [
        include_str!("kernel.templates"),
        include_str!("outside.templates"),
    ];
    lists.into_iter().flat_map(entries).map(|(class, _)| class)
}

/// The first two bytes as an index.
fn beginning(text: &[u8]) -> usize {
    text.first_chunk()
        .map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)))
}

fn key(text: &[u8]) -> Option<[u8; KEY]> {
    text.first_chunk().copied()
}

/// Where a message may begin: at a word, also one behind a bracket, a quotation mark, the `+` of a
/// patch.
pub fn word_starts(line: &str) -> impl Iterator<Item = usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).filter(move |&at| {
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        bytes[at] != b' '
            && !before.is_ascii_alphanumeric()
            && before != b'_'
            && line.is_char_boundary(at)
    })
}

/// A message does not end within a word.
fn ends_well(text: &str, length: usize) -> bool {
    let last = text[..length].chars().next_back();
    let next = text[length..].chars().next();
    !(last.is_some_and(char::is_alphanumeric)
        && next.is_some_and(|next| next.is_alphanumeric() || next == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes_in(line: &str) -> Vec<&'static str> {
        Table::get()
            .all_in(line)
            .iter()
            .map(|found| found.template.class)
            .collect()
    }

    #[test]
    fn a_message_is_found_behind_any_prefix() {
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
                ["uninit-reg"],
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_line_may_hold_two() {
        let line = "permission denied: invalid access to map value, value_size=1 off=1 size=1: R1 max value is outside \
                    of the allowed memory range (9 line(s) omitted)";
        assert_eq!(
            classes_in(line).split_last().unwrap().1.last(),
            Some(&"map-value-bounds")
        );
        let roles: Vec<_> = Table::get().all_in(line).iter().map(Found::role).collect();
        assert!(roles.ends_with(&[Role::Error, Role::Detail]), "{roles:?}");
    }

    #[test]
    fn people_write_down_messages_without_the_register() {
        assert_eq!(
            classes_in(" * pointer arithmetic on map_value_or_null prohibited\")"),
            ["ptr-arith-prohibited"]
        );
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(classes_in("R2 !read_okay"), [""; 0]);
        assert_eq!(
            classes_in("xR2 tried to subtract pointer from scalar"),
            [""; 0]
        );
        assert_eq!(classes_in("an unreachable insnXYZ"), [""; 0]);
    }

    #[test]
    fn every_template_can_be_found() {
        for list in [
            include_str!("kernel.templates"),
            include_str!("outside.templates"),
        ] {
            for (class, line) in entries(list) {
                assert!(!class.is_empty(), "{line} stands under no class");
                assert!(
                    Template::parse(class, line).first_literal().len() >= KEY,
                    "{line} is too short to be found"
                );
            }
        }
    }
}
