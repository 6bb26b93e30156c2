//! The messages of the verifier that are in kernels' images: which of the known ones, and others
//! that the same functions print.
//!
//! ```text
//!   mov  $"invalid shift %d\n", %rsi     an address of a string in the code: a reference
//!   mov  %rbx, %rdi
//!   call verbose                         the function that it is passed to: a printer
//! ```
//!
//! The linker shares strings: `value\n` may be the end of a longer one. So a text is a message only
//! where something refers to its beginning.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::Write;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, SectionKind};

/// A printer is passed so many known messages at least.
const LEAST_KNOWN: usize = 4;
/// So many bytes of code after a reference, the call comes.
const CALL_WITHIN: usize = 48;
/// A text as short as this may be anything's where no code of the verifier refers to it.
const SHORTEST_ALONE: usize = 12;

/// Prints the table of messages: each known one, then those that are not known yet, with a `y` for
/// each image that has it.
///
/// `known`: lines that begin with a message; `images`: such as `6.12=path/to/vmlinux`.
pub fn print_messages(out: &mut impl Write, known: &str, images: &[Cow<'_, str>]) -> Result<()> {
    let mut names = Vec::new();
    let mut strings = Vec::new();
    for image in images {
        let (name, path) = image.split_once('=').context("an image is SERIES=FILE")?;
        let bytes = fs::read(path).with_context(|| format!("cannot read {path}"))?;
        let image = KernelImage::read_image(&bytes).with_context(|| format!("in {path}"))?;
        names.push(name);
        strings.push(image.find_strings());
    }
    let known = known.lines().filter_map(read_message).map(str::to_owned);
    let (known, columns) = find_messages(&strings, known.collect());
    writeln!(out, "# {}", names.join(" "))?;
    for message in &known {
        let flags: String = columns.iter().map(|column| mark(column, message)).collect();
        writeln!(out, "{message}\t{flags}")?;
    }
    Ok(())
}

/// All messages, and those of each image. What one image tells helps to read the others, so this
/// goes on until nothing new is found.
fn find_messages(
    strings: &[KernelStrings],
    mut known: BTreeSet<String>,
) -> (BTreeSet<String>, Vec<BTreeSet<String>>) {
    loop {
        let columns: Vec<_> = strings
            .iter()
            .map(|image| image.find_messages(&known))
            .collect();
        let before = known.len();
        known.extend(columns.iter().flatten().cloned());
        if known.len() == before {
            return (known, columns);
        }
    }
}

/// The message of a line of the table; `None` for its heading.
fn read_message(line: &str) -> Option<&str> {
    let is_heading = line.starts_with("# ");
    let message = line.rsplit_once('\t').map_or(line, |(message, _)| message);
    (!is_heading).then_some(message)
}

fn mark(column: &BTreeSet<String>, message: &str) -> char {
    if column.contains(message) { 'y' } else { '-' }
}

/// A part of the image: where it is loaded, and its bytes.
struct ImageSection<'a> {
    address: u64,
    bytes: &'a [u8],
}

struct KernelImage<'a> {
    code: Vec<ImageSection<'a>>,
    data: Vec<ImageSection<'a>>,
}

/// A place in the code that has the address of a string.
struct StringReference {
    /// Where the code is.
    place: u64,
    text: String,
    /// It ends a line: parts of messages do not.
    ends_line: bool,
    /// The function that is called next.
    printer: Option<u64>,
}

/// The strings of an image that something refers to.
struct KernelStrings {
    references: Vec<StringReference>,
    /// Those that only tables point to.
    in_tables: HashSet<String>,
}

impl KernelStrings {
    /// The known messages that the image has, and the others that the same functions print.
    fn find_messages(&self, known: &BTreeSet<String>) -> BTreeSet<String> {
        let printers = find_printers(&self.references, known);
        let verifier = find_code_of(&self.references, known);
        let mut found = BTreeSet::new();
        for reference in &self.references {
            let is_known = known.contains(&reference.text);
            let is_verifiers = verifier.contains(&(reference.place / REGION));
            let is_printed = reference.printer.is_some_and(|at| printers.contains(&at));
            let is_long = reference.text.len() >= SHORTEST_ALONE;
            let is_new = is_printed && is_long && reference.ends_line;
            if is_new || (is_known && (is_printed || is_verifiers || is_long)) {
                found.insert(reference.text.clone());
            }
        }
        let in_tables = known.iter().filter(|text| self.in_tables.contains(*text));
        found.extend(in_tables.cloned());
        found
    }
}

impl<'a> KernelImage<'a> {
    fn read_image(bytes: &'a [u8]) -> Result<Self> {
        let file = object::File::parse(bytes).context("cannot read the kernel's image")?;
        let (mut code, mut data) = (Vec::new(), Vec::new());
        for section in file.sections() {
            let part = ImageSection {
                address: section.address(),
                bytes: section.data().context("cannot read a section")?,
            };
            match section.kind() {
                SectionKind::Text => code.push(part),
                SectionKind::ReadOnlyData | SectionKind::Data => data.push(part),
                _ => {}
            }
        }
        Ok(Self { code, data })
    }

    fn find_strings(&self) -> KernelStrings {
        KernelStrings {
            references: self.find_references(),
            in_tables: self.find_texts_of_tables(),
        }
    }

    fn find_references(&self) -> Vec<StringReference> {
        let mut references = Vec::new();
        for section in &self.code {
            for at in 0..section.bytes.len().saturating_sub(4) {
                let place = section.address + at as u64;
                let Some(text) = self.find_text(section, at) else {
                    continue;
                };
                let after = &section.bytes[at + 4..];
                let printer = self.find_call(after, place + 4);
                references.push(StringReference {
                    place,
                    text: clean_text(text),
                    ends_line: text.ends_with('\n'),
                    printer,
                });
            }
        }
        references
    }

    /// The string whose address is at `at`, as the operand of a `mov` or, counted from the next
    /// instruction on, of a `lea`.
    fn find_text(&self, section: &ImageSection<'_>, at: usize) -> Option<&'a str> {
        let operand = i32::from_le_bytes(*section.bytes[at..].first_chunk()?);
        let before = &section.bytes[at.saturating_sub(4)..at];
        let address = match before {
            [_, _, 0x8d, byte] if byte & 0xc7 == 0x05 => {
                (section.address + at as u64 + 4).wrapping_add_signed(operand.into())
            }
            // mov $address, %reg; movq $address, offset(%reg); movq $address, offset(%rsp).
            [_, _, 0xc7, 0xc0..=0xc7] | [_, 0xc7, 0x40..=0x47, _] | [0xc7, 0x44, 0x24, _] => {
                i64::from(operand).cast_unsigned()
            }
            _ => return None,
        };
        self.read_text(address)
    }

    fn read_text(&self, address: u64) -> Option<&'a str> {
        let section = self.data.iter().find(|section| {
            address >= section.address && address < section.address + section.bytes.len() as u64
        })?;
        let start = usize::try_from(address - section.address).ok()?;
        let rest = &section.bytes[start..];
        let length = rest.iter().take(1024).position(|&byte| byte == 0)?;
        let text = str::from_utf8(&rest[..length]).ok()?;
        let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        (length > 2 && text.bytes().all(is_text)).then_some(text)
    }

    /// The first call of a function in some code.
    fn find_call(&self, code: &[u8], address: u64) -> Option<u64> {
        (0..CALL_WITHIN.min(code.len())).find_map(|at| {
            let operand = code.get(at + 1..)?.first_chunk()?;
            let offset = i32::from_le_bytes(*operand);
            let target = (address + at as u64 + 5).wrapping_add_signed(offset.into());
            (code[at] == 0xe8 && self.is_function(target)).then_some(target)
        })
    }

    /// Functions begin at multiples of 16.
    fn is_function(&self, address: u64) -> bool {
        address.is_multiple_of(16)
            && self.code.iter().any(|section| {
                (section.address..section.address + section.bytes.len() as u64).contains(&address)
            })
    }

    /// Strings that only tables point to.
    fn find_texts_of_tables(&self) -> HashSet<String> {
        let mut texts = HashSet::new();
        for section in &self.data {
            let (words, _) = section.bytes.as_chunks();
            for word in words {
                texts.extend(self.read_text(u64::from_le_bytes(*word)).map(clean_text));
            }
        }
        texts
    }
}

/// A text as the table has it: without the ends of lines around it, those within as `\n`.
fn clean_text(text: &str) -> String {
    text.trim().replace('\n', "\\n").replace('\t', " ")
}

/// Code is told apart by regions of so many bytes.
const REGION: u64 = 0x2_0000;

/// The regions whose code refers to long known messages: the verifier's.
fn find_code_of(references: &[StringReference], known: &BTreeSet<String>) -> HashSet<u64> {
    let is_telling = |reference: &&StringReference| {
        reference.text.len() > 2 * SHORTEST_ALONE && known.contains(&reference.text)
    };
    let telling = references.iter().filter(is_telling);
    telling.map(|reference| reference.place / REGION).collect()
}

/// The functions that known messages are passed to.
fn find_printers(references: &[StringReference], known: &BTreeSet<String>) -> HashSet<u64> {
    let mut passed: HashMap<u64, BTreeSet<&str>> = HashMap::new();
    let mut others: BTreeMap<u64, usize> = BTreeMap::new();
    for reference in references {
        let Some(printer) = reference.printer else {
            continue;
        };
        if known.contains(&reference.text) {
            passed.entry(printer).or_default().insert(&reference.text);
        } else {
            *others.entry(printer).or_default() += 1;
        }
    }
    let is_printer = |(printer, texts): &(u64, BTreeSet<&str>)| {
        // Functions that print for everybody are passed more of other things.
        texts.len() >= LEAST_KNOWN && texts.len() > others.get(printer).copied().unwrap_or(0)
    };
    passed
        .into_iter()
        .filter(is_printer)
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: u64 = 0xffff_ffff_8100_0000;
    const DATA: u64 = 0xffff_ffff_8200_0000;
    /// Where the code of these tests has its printer.
    const PRINTER: u64 = CODE + 0x1000;

    /// `mov $address, %rsi; call printer`
    fn call_with(code: &mut Vec<u8>, address: u64) {
        code.extend([0x48, 0xc7, 0xc6]);
        code.extend(&address.to_le_bytes()[..4]);
        let next = CODE + code.len() as u64 + 5;
        let offset = PRINTER.wrapping_sub(next);
        code.push(0xe8);
        code.extend(&offset.to_le_bytes()[..4]);
    }

    /// The messages of an image whose code passes all of these to one function.
    fn messages_of(texts: &[&str], known: &[&str]) -> BTreeSet<String> {
        let (mut code, mut data) = (vec![0x90; 16], vec![0]);
        for text in texts {
            call_with(&mut code, DATA + data.len() as u64);
            data.extend(text.bytes());
            data.push(0);
        }
        code.resize(0x2000, 0xcc);
        let section = |address, bytes| ImageSection { address, bytes };
        let image = KernelImage {
            code: vec![section(CODE, &code)],
            data: vec![section(DATA, &data)],
        };
        let known = known.iter().map(|text| (*text).to_owned()).collect();
        find_messages(&[image.find_strings()], known).1.remove(0)
    }

    const KNOWN: [&str; 4] = [
        "the first message is long enough",
        "the second one says %d more",
        "R%d !read_ok",
        "frame pointer is read only",
    ];

    #[test]
    fn what_is_passed_to_the_same_function_is_a_message_too() {
        let lines: Vec<_> = KNOWN.iter().map(|text| format!("{text}\n")).collect();
        let mut texts: Vec<_> = lines.iter().map(String::as_str).collect();
        texts.push("nobody knew this one: %s\n");
        texts.push("only a part of one");
        let found = messages_of(&texts, &KNOWN);
        assert!(KNOWN.iter().all(|text| found.contains(*text)));
        assert!(found.contains("nobody knew this one: %s"));
        assert!(!found.contains("only a part of one"));
    }

    #[test]
    fn the_end_of_a_longer_string_is_no_message() {
        let found = messages_of(&["xx the first message is long enough\n"], &KNOWN);
        assert_eq!(found, BTreeSet::new());
    }

    #[test]
    fn a_message_of_several_lines_is_one_row() {
        assert_eq!(clean_text("a lock,\nuse this\n"), "a lock,\\nuse this");
        assert_eq!(read_message("a\tb\tyy-"), Some("a\tb"));
        assert_eq!(read_message("# 5.10 6.1"), None);
    }
}
