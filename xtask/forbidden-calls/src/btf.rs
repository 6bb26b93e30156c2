//! What the object's type information tells: which missing functions are the kernel's (`extern int
//! bpf_x(...) __ksym;`), and the source lines, without inlined functions.

use object::{Endianness, Object as _, ObjectSection as _, SectionIndex};

use crate::site::SourceSite;

const MAGIC: u16 = 0xeb9f;
const VARIABLE_SECTION: u32 = 15;

/// A type: its name, its kind, and what follows the common part, up to the next type.
struct Type<'data> {
    name: &'data str,
    kind: u32,
    more: &'data [u8],
}

/// Their names; none where there is no type information.
pub fn find_kfuncs(file: &object::File<'_>) -> Vec<String> {
    let section = file.section_by_name(".BTF");
    let Some(data) = section.and_then(|section| section.data().ok()) else {
        return Vec::new();
    };
    let types = types(data, file.endianness()).unwrap_or_default();
    let numbers = |section: &Type<'_>| {
        let members = section.more.chunks_exact(12);
        members
            .filter_map(|member| number(member, 0, file.endianness()))
            .collect::<Vec<u32>>()
    };
    let declared = types
        .iter()
        .filter(|item| item.kind == VARIABLE_SECTION && item.name == ".ksyms");
    // Types are counted from 1.
    let at = |number: u32| types.get(usize::try_from(number).ok()?.checked_sub(1)?);
    declared
        .flat_map(numbers)
        .filter_map(at)
        .map(|function| function.name.to_owned())
        .collect()
}

fn types(data: &[u8], endianness: Endianness) -> Option<Vec<Type<'_>>> {
    let mut rest = part(data, 8, endianness)?;
    let names = part(data, 16, endianness)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let name = text(names, number(rest, 0, endianness)?)?;
        let info = number(rest, 4, endianness)?;
        let (kind, members) = (info >> 24 & 0x1f, usize::try_from(info & 0xffff).ok()?);
        let more = rest.get(12..)?.get(..size_of_more(kind, members)?)?;
        found.push(Type { name, kind, more });
        rest = &rest[12 + more.len()..];
    }
    Some(found)
}

/// The part of .BTF or .BTF.ext whose offset and size are here in its header.
fn part(data: &[u8], at: usize, endianness: Endianness) -> Option<&[u8]> {
    let size = |offset| usize::try_from(number(data, offset, endianness)?).ok();
    let magic = data.get(..2)?.try_into().ok()?;
    let magic = match endianness {
        Endianness::Little => u16::from_le_bytes(magic),
        Endianness::Big => u16::from_be_bytes(magic),
    };
    let start = (magic == MAGIC)
        .then_some(size(4)?)?
        .checked_add(size(at)?)?;
    data.get(start..start.checked_add(size(at + 4)?)?)
}

fn text(names: &[u8], offset: u32) -> Option<&str> {
    let name = names
        .get(usize::try_from(offset).ok()?..)?
        .split(|byte| *byte == 0)
        .next()?;
    std::str::from_utf8(name).ok()
}

/// The line of an instruction. Of an inlined function it is the line in that function.
pub fn find_line(file: &object::File<'_>, section: usize, offset: u64) -> Option<SourceSite> {
    let endianness = file.endianness();
    let names = part(file.section_by_name(".BTF")?.data().ok()?, 16, endianness)?;
    let lines = part(
        file.section_by_name(".BTF.ext")?.data().ok()?,
        16,
        endianness,
    )?;
    let wanted = file.section_by_index(SectionIndex(section)).ok()?;
    let size = usize::try_from(number(lines, 0, endianness)?)
        .ok()
        .filter(|size| *size >= LINE)?;
    let mut rest = lines.get(4..)?;
    while !rest.is_empty() {
        let section = text(names, number(rest, 0, endianness)?)?;
        let count = usize::try_from(number(rest, 4, endianness)?).ok()?;
        let records = rest.get(8..)?.get(..size.checked_mul(count)?)?;
        if wanted.name() == Ok(section) {
            return nearest(records, size, names, offset, endianness);
        }
        rest = &rest[8 + records.len()..];
    }
    None
}

/// Bytes of a line's record: offset of the instruction, name of the file, text, line and column.
const LINE: usize = 16;

/// The last record up to an instruction.
fn nearest(
    records: &[u8],
    size: usize,
    names: &[u8],
    offset: u64,
    endianness: Endianness,
) -> Option<SourceSite> {
    let before =
        |record: &&[u8]| number(record, 0, endianness).is_some_and(|at| u64::from(at) <= offset);
    let record = records.chunks_exact(size).rfind(before)?;
    let place = number(record, 12, endianness)?;
    let file = text(names, number(record, 4, endianness)?)?.to_owned();
    Some(SourceSite {
        file,
        line: place >> 10,
        column: place & 0x3ff,
    })
}

/// Bytes that follow the common twelve, by the kind (include/uapi/linux/btf.h).
fn size_of_more(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        2 | 7 | 8 | 9 | 10 | 11 | 12 | 16 | 18 => 0,
        1 | 14 | 17 => 4,
        3 => 12,
        4 | 5 | 15 | 19 => 12 * members,
        6 | 13 => 8 * members,
        _ => return None,
    })
}

fn number(data: &[u8], offset: usize, endianness: Endianness) -> Option<u32> {
    let bytes = data.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    Some(match endianness {
        Endianness::Little => u32::from_le_bytes(bytes),
        Endianness::Big => u32::from_be_bytes(bytes),
    })
}
