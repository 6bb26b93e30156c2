//! What the object's type information tells: which missing functions are the kernel's (`extern int
//! bpf_x(...) __ksym;`), and the source lines, without inlined functions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use object::{Endianness, Object as _, ObjectSection as _, SectionIndex};

use crate::site::SourceSite;

const MAGIC: u16 = 0xeb9f;
const VARIABLE_SECTION: u32 = 15;

/// Bytes of the longest text that is read: several things may have the same one. Paths of files
/// have at most as many (`PATH_MAX` of the kernel's source).
const LONGEST: usize = 4096;

/// A type: where its name is, its kind, and what follows the common part, up to the next type.
struct Type<'data> {
    name: u32,
    kind: u32,
    more: &'data [u8],
}

/// Their names; none where there is no type information.
pub fn find_kfuncs<'data>(file: &object::File<'data>) -> BTreeSet<&'data str> {
    let section = file.section_by_name(".BTF");
    let data = section.and_then(|section| section.data().ok());
    data.and_then(|data| read_kfuncs(data, file.endianness()))
        .unwrap_or_default()
}

fn read_kfuncs(data: &[u8], endianness: Endianness) -> Option<BTreeSet<&str>> {
    let types = types(data, endianness)?;
    let names = part(data, 16, endianness)?;
    let numbers = |section: &Type<'_>| {
        let members = section.more.chunks_exact(12);
        members
            .filter_map(|member| number(member, 0, endianness))
            .collect::<Vec<u32>>()
    };
    let declared = types
        .iter()
        .filter(|item| item.kind == VARIABLE_SECTION && text(names, item.name) == Some(".ksyms"));
    // Each is read once, however often it is declared.
    let numbers: BTreeSet<u32> = declared.flat_map(numbers).collect();
    // Types are counted from 1.
    let at = |number: u32| types.get(usize::try_from(number).ok()?.checked_sub(1)?);
    let functions = numbers.into_iter().filter_map(at);
    Some(
        functions
            .filter_map(|function| text(names, function.name))
            .collect(),
    )
}

fn types(data: &[u8], endianness: Endianness) -> Option<Vec<Type<'_>>> {
    let mut rest = part(data, 8, endianness)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let name = number(rest, 0, endianness)?;
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

/// `None` where it is longer than any that is read.
fn text(names: &[u8], offset: u32) -> Option<&str> {
    let names = names.get(usize::try_from(offset).ok()?..)?;
    let names = &names[..names.len().min(LONGEST)];
    let end = names.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&names[..end]).ok()
}

/// Bytes of a line's record: offset of the instruction, name of the file, text, line and column.
const LINE: usize = 16;

/// The name of a file, then the line and the column.
type Place = (u32, u32);

/// Source lines of instructions.
pub struct BtfLines<'data> {
    names: &'data [u8],
    /// By the number of a section in the file: where in [`Self::places`].
    sections: HashMap<usize, usize>,
    /// By the offset of the first instruction.
    places: Vec<BTreeMap<u32, Place>>,
}

impl<'data> BtfLines<'data> {
    /// `None` where there are none.
    pub fn parse(file: &object::File<'data>) -> Option<Self> {
        let endianness = file.endianness();
        let data = |name| file.section_by_name(name)?.data().ok();
        let names = part(data(".BTF")?, 16, endianness)?;
        let lines = part(data(".BTF.ext")?, 16, endianness)?;
        let (numbers, places) = read_places(lines, names, endianness)?;
        let mut sections = HashMap::new();
        for section in file.sections() {
            if let Some(number) = section.name().ok().and_then(|name| numbers.get(name)) {
                let SectionIndex(index) = section.index();
                sections.insert(index, *number);
            }
        }
        Some(Self {
            names,
            sections,
            places,
        })
    }

    /// The line of an instruction: the last that begins up to there. Of an inlined function it is
    /// the line in that function.
    pub fn find_line(&self, section: usize, offset: u64) -> Option<SourceSite> {
        let places = &self.places[*self.sections.get(&section)?];
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        let (_, &(file, place)) = places.range(..=offset).next_back()?;
        Some(SourceSite {
            file: text(self.names, file)?.to_owned(),
            line: place >> 10,
            column: place & 0x3ff,
        })
    }
}

/// The first part for each name of a section counts.
type Places<'data> = (HashMap<&'data str, usize>, Vec<BTreeMap<u32, Place>>);

fn read_places<'data>(
    lines: &[u8],
    names: &'data [u8],
    endianness: Endianness,
) -> Option<Places<'data>> {
    let size = usize::try_from(number(lines, 0, endianness)?)
        .ok()
        .filter(|size| *size >= LINE)?;
    let (mut numbers, mut places) = (HashMap::new(), Vec::new());
    let mut rest = lines.get(4..)?;
    while !rest.is_empty() {
        let section = text(names, number(rest, 0, endianness)?)?;
        let count = usize::try_from(number(rest, 4, endianness)?).ok()?;
        let records = rest.get(8..)?.get(..size.checked_mul(count)?)?;
        numbers.entry(section).or_insert_with(|| {
            places.push(by_offset(records, size, endianness));
            places.len() - 1
        });
        rest = &rest[8 + records.len()..];
    }
    Some((numbers, places))
}

fn by_offset(records: &[u8], size: usize, endianness: Endianness) -> BTreeMap<u32, Place> {
    let place = |record: &[u8]| {
        let value = |at| number(record, at, endianness);
        Some((value(0)?, (value(4)?, value(12)?)))
    };
    records.chunks_exact(size).filter_map(place).collect()
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
