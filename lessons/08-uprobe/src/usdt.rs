//! The notes of USDT probe points in an ELF file. libbpf reads them itself, aya 0.14 does not.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use common::elf;
use common::register::find_register;
use object::read::elf::SectionHeader as _;
use object::{Object as _, ObjectSection as _};

use crate::event::{CONSTANT, MEMORY, PointArgument, REGISTER};

// ANCHOR: point
/// One place of a probe point. The compiler may have copied it: then there are several.
pub struct Point {
    pub offset: u64,
    /// Where the file has the 16 bits that are not 0 while somebody watches; 0 if there are none.
    pub semaphore: u64,
    /// `8@%rdi -4@%esi`, or `8@x0 -4@x1` on arm64: sizes, and where the arguments are.
    pub arguments: String,
}
// ANCHOR_END: point

// ANCHOR: note
pub fn find_points(path: &Path, provider: &str, name: &str) -> Result<Vec<Point>> {
    let data = elf::read_file(path)?;
    let file = elf::parse_elf(path, &data)?;
    let mut points = Vec::new();
    if let Some(section) = file.section_by_name(".note.stapsdt") {
        let endian = file.endian();
        let notes = section.elf_section_header().notes(endian, &*data)?;
        let mut notes = notes.context("cannot read .note.stapsdt: it holds no notes")?;
        // A tool may have moved the file's addresses after the notes were written.
        let base = file.section_by_name(".stapsdt.base");
        while let Some(note) = notes.next()? {
            let (numbers, texts) = note.desc().split_at_checked(24).unwrap_or_default();
            let [address, old_base, semaphore] = [0, 8, 16].map(|at| read_number(numbers, at));
            let moved = base
                .as_ref()
                .map_or(0, |base| base.address().wrapping_sub(old_base));
            let mut texts = texts.split(|&byte| byte == 0).map(String::from_utf8_lossy);
            if texts.next().as_deref() != Some(provider) || texts.next().as_deref() != Some(name) {
                continue;
            }
            points.push(Point {
                offset: elf::find_file_offset(&file, address.wrapping_add(moved))?,
                semaphore: match semaphore {
                    0 => 0,
                    address => elf::find_file_offset(&file, address.wrapping_add(moved))?,
                },
                arguments: texts.next().unwrap_or_default().into_owned(),
            });
        }
    }
    ensure!(
        !points.is_empty(),
        "cannot find the probe point {provider}:{name} in {}: `readelf -n` lists those it has",
        path.display()
    );
    Ok(points)
}
// ANCHOR_END: note

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "file offset {:#x}, arguments {}",
            self.offset, self.arguments
        )?;
        match self.semaphore {
            0 => write!(f, ", no semaphore"),
            offset => write!(f, ", semaphore at file offset {offset:#x}"),
        }
    }
}

fn read_number(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok());
    u64::from_ne_bytes(bytes.unwrap_or_default())
}

// ANCHOR: arguments
/// The first three of `8@%rdi -4@$7 4@-20(%rbp)`: in a register, a constant, in memory. On arm64
/// that is `8@x0 -4@7 4@[x29, -20]`. A negative size is that of a signed number.
pub fn parse_arguments(text: &str) -> Result<[PointArgument; 3]> {
    let text = text.replace(", ", ",");
    let mut arguments = [PointArgument::NONE; 3];
    for (argument, text) in arguments.iter_mut().zip(text.split_whitespace()) {
        let parsed = parse_argument(text);
        *argument = parsed.with_context(|| format!("cannot read the argument '{text}'"))?;
    }
    Ok(arguments)
}

fn parse_argument(text: &str) -> Option<PointArgument> {
    let (size, place) = text.split_once('@')?;
    let size: i32 = size.parse().ok()?;
    let mut argument = PointArgument {
        unused_bits: 64_u32.checked_sub(size.unsigned_abs().checked_mul(8)?)?,
        is_signed: u32::from(size < 0),
        ..PointArgument::NONE
    };
    if let Ok(number) = place.trim_start_matches('$').parse() {
        argument.place = CONSTANT;
        argument.value = number;
    } else if let Some(register) = find_register(place) {
        argument.place = REGISTER;
        argument.register = register;
    } else {
        let (distance, name) = split_memory(place)?;
        argument.place = MEMORY;
        argument.register = find_register(name)?;
        argument.value = if distance.is_empty() {
            0
        } else {
            distance.parse().ok()?
        };
    }
    Some(argument)
}
// ANCHOR_END: arguments

/// The distance and the register of `-20(%rbp)` or `[x29,-20]`.
fn split_memory(place: &str) -> Option<(&str, &str)> {
    let Some(inside) = place.strip_prefix('[') else {
        return place.strip_suffix(')')?.split_once('(');
    };
    let inside = inside.strip_suffix(']')?;
    let (name, distance) = inside.split_once(',').unwrap_or((inside, ""));
    Some((distance, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_where_the_note_says() {
        let [first, second, third] = parse_arguments("8@%rdi -4@$-7 4@-20(%rbp) 8@%rax").unwrap();
        assert_eq!((first.place, first.register), (REGISTER, 112));
        assert_eq!((first.unused_bits, first.is_signed), (0, 0));
        assert_eq!((second.place, second.value), (CONSTANT, -7));
        assert_eq!((second.unused_bits, second.is_signed), (32, 1));
        assert_eq!(
            (third.place, third.register, third.value),
            (MEMORY, 32, -20)
        );
        assert_eq!(parse_arguments("").unwrap(), [PointArgument::NONE; 3]);
        for text in [
            "8",
            "8@",
            "x@%rdi",
            "9@%rdi",
            "8@%xmm0",
            "8@8(%rax,%rbx,2)",
            "8@4(rax)",
        ] {
            assert!(parse_arguments(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arguments_of_arm64_are_written_in_another_way() {
        let [first, second, third] = parse_arguments("8@x1 -4@-7 4@[x29, -20]").unwrap();
        assert_eq!((first.place, first.register), (REGISTER, 8));
        assert_eq!((second.place, second.value), (CONSTANT, -7));
        assert_eq!(
            (third.place, third.register, third.value),
            (MEMORY, 232, -20)
        );
        let [on_stack, _, _] = parse_arguments("8@[sp]").unwrap();
        assert_eq!((on_stack.register, on_stack.value), (248, 0));
        assert!(parse_arguments("8@[sp").is_err());
    }
}
