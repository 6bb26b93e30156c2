//! The notes of USDT probe points in an ELF file. libbpf reads them itself, aya 0.14 does not.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use common::elf;
use object::read::elf::SectionHeader as _;
use object::{Object as _, ObjectSection as _};

use crate::event::{CONSTANT, MEMORY, PointArgument, REGISTER};

/// The registers in the order of `struct pt_regs`, without what marks their size: `rdi` and `edi`
/// are `di`, `r8` and `r8d` are `8`. Each is 8 bytes long.
const REGISTERS: &str =
    "15 14 13 12 bp bx 11 10 9 8 ax cx dx si di (system-call) (ip) (cs) (flags) sp";

// ANCHOR: point
/// One place of a probe point. The compiler may have copied it: then there are several.
pub struct Point {
    pub offset: u64,
    /// Where the file has the 16 bits that are not 0 while somebody watches; 0 if there are none.
    pub semaphore: u64,
    /// `8@%rdi -4@%esi`: sizes, and where the arguments are.
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
/// The first three of `8@%rdi -4@$7 4@-20(%rbp)`: in a register, a constant, in memory. A negative
/// size is that of a signed number.
pub fn parse_arguments(text: &str) -> Result<[PointArgument; 3]> {
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
    if let Some(number) = place.strip_prefix('$') {
        argument.place = CONSTANT;
        argument.value = number.parse().ok()?;
    } else if let Some(name) = place.strip_prefix('%') {
        argument.place = REGISTER;
        argument.register = find_register(name)?;
    } else {
        let (distance, name) = place.strip_suffix(')')?.split_once("(%")?;
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

fn find_register(name: &str) -> Option<u32> {
    let name = name.strip_suffix(['d', 'w', 'b', 'l']).unwrap_or(name);
    let name = name.strip_prefix(['r', 'e']).unwrap_or(name);
    // `al` has become `a`.
    let wide = format!("{name}x");
    let mut registers = REGISTERS.split(' ');
    let index = registers.position(|register| register == name || register == wide)?;
    u32::try_from(index * 8).ok()
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
        for (name, offset) in [
            ("r15b", 0),
            ("bl", 40),
            ("r8d", 72),
            ("al", 80),
            ("dil", 112),
        ] {
            assert_eq!(find_register(name), Some(offset), "{name}");
        }
        assert_eq!(
            (find_register("rsp"), find_register("xmm0")),
            (Some(152), None)
        );
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
}
