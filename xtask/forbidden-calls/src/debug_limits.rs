//! Whether debug information is worth reading. What reads it (gimli, addr2line) trusts it: a few
//! bytes may name the same long list a million times, or nest so deep that the stack ends.
//!
//! ```text
//!   .debug_abbrev    few attributes each, and each list of them read once
//!   .debug_str       texts of a length that a name may have
//!   .debug_info      entries in entries, not too deep; ranges and files that come to no more than
//!                    some times the whole
//!   .debug_line      a program for each unit
//! ```

use std::collections::BTreeSet;

use gimli::{
    AbbreviationsCacheStrategy, AttributeValue, Dwarf, EndianArcSlice, FileEntry,
    LineProgramHeader, Reader as _, RunTimeEndian, Section as _, UnitHeader, UnitRef,
};

use crate::names::MOST_SHARED;

// What the lessons' programs have at most, by `llvm-dwarfdump`: entries 27 deep, with 9 attributes,
// in 8 units.

const DEEPEST: isize = 256;

const MOST_ATTRIBUTES: usize = 64;

const MOST_UNITS: usize = 1024;

const LONGEST_TEXT: usize = 64 << 10;

pub type Reader = EndianArcSlice<RunTimeEndian>;

type Header = UnitHeader<Reader>;

/// `None` where it is not.
pub fn check_debug_information(dwarf: &mut Dwarf<Reader>) -> Option<()> {
    check_texts(dwarf.debug_str.reader())?;
    check_texts(dwarf.debug_line_str.reader())?;
    let tables = find_abbreviations(dwarf.debug_abbrev.reader().clone())?;
    let mut units = Vec::new();
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        // One that begins within another would be read again with it.
        if !tables.contains(&header.debug_abbrev_offset().0) || units.len() == MOST_UNITS {
            return None;
        }
        units.push(header);
    }
    // All units of an object that was linked have the same.
    dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::All);
    check_line_programs(dwarf, &units)?;
    let mut budget = Budget::of(dwarf);
    units
        .into_iter()
        .try_for_each(|header| check_unit(dwarf, header, &mut budget))
}

/// Bytes that may still be named.
struct Budget(usize);

impl Budget {
    fn of(dwarf: &Dwarf<Reader>) -> Self {
        let lengths = [
            dwarf.debug_abbrev.reader().len(),
            dwarf.debug_str.reader().len(),
            dwarf.debug_line.reader().len(),
            dwarf.debug_info.reader().len(),
            dwarf.ranges.debug_ranges().reader().len(),
            dwarf.ranges.debug_rnglists().reader().len(),
        ];
        let all: usize = lengths.into_iter().sum();
        Self(all.saturating_mul(usize::try_from(MOST_SHARED).unwrap_or(usize::MAX)))
    }

    fn spend(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

fn check_texts(texts: &Reader) -> Option<()> {
    let is_short = |text: &[u8]| text.len() <= LONGEST_TEXT;
    let mut texts = texts.bytes().split(|byte| *byte == 0);
    texts.all(is_short).then_some(())
}

/// Where the lists begin.
fn find_abbreviations(mut section: Reader) -> Option<BTreeSet<usize>> {
    let length = section.len();
    let mut starts = BTreeSet::new();
    while !section.is_empty() {
        starts.insert(length - section.len());
        while section.read_uleb128().ok()? != 0 {
            let _tag = section.read_uleb128().ok()?;
            let _has_children = section.read_u8().ok()?;
            skip_attributes(&mut section)?;
        }
    }
    Some(starts)
}

fn skip_attributes(section: &mut Reader) -> Option<()> {
    for _ in 0..=MOST_ATTRIBUTES {
        let (name, form) = (section.read_uleb128().ok()?, section.read_uleb128().ok()?);
        if form == u64::from(gimli::DW_FORM_implicit_const.0) {
            section.read_sleb128().ok()?;
        }
        if (name, form) == (0, 0) {
            return Some(());
        }
    }
    None
}

/// Each has its own, and all of them together are no more than there is.
fn check_line_programs(dwarf: &Dwarf<Reader>, units: &[Header]) -> Option<()> {
    let section = dwarf.debug_line.reader();
    let (mut seen, mut length) = (BTreeSet::new(), 0usize);
    for header in units {
        let abbreviations = dwarf.abbreviations(header).ok()?;
        let root = header.entries(&abbreviations);
        let Some(offset) = find_line_program(root) else {
            continue;
        };
        let mut program = section.clone();
        program.skip(offset).ok()?;
        let (own, _) = program.read_initial_length().ok()?;
        length = length.checked_add(own)?;
        if !seen.insert(offset) || length > section.len() {
            return None;
        }
    }
    Some(())
}

fn find_line_program(mut entries: gimli::EntriesCursor<'_, Reader>) -> Option<usize> {
    let root = entries.next_dfs().ok()??;
    match root.attr_value(gimli::DW_AT_stmt_list)? {
        AttributeValue::DebugLineRef(offset) => Some(offset.0),
        _ => None,
    }
}

fn check_unit(dwarf: &Dwarf<Reader>, header: Header, budget: &mut Budget) -> Option<()> {
    let Ok(unit) = dwarf.unit(header) else {
        return Some(());
    };
    let unit = UnitRef::new(dwarf, &unit);
    if let Some(program) = &unit.line_program {
        let program = program.header();
        for file in program.file_names() {
            budget.spend(path_length(&unit, program, file))?;
        }
    }
    let mut entries = unit.entries_raw(None).ok()?;
    while !entries.is_empty() {
        if entries.next_depth() > DEEPEST {
            return None;
        }
        let Some(abbreviation) = entries.read_abbreviation().ok()? else {
            continue;
        };
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            if attribute.name() == gimli::DW_AT_ranges {
                check_ranges(&unit, attribute.value(), budget)?;
            }
        }
    }
    Some(())
}

/// Of a file's path, which is put together for each file.
fn path_length(
    unit: &UnitRef<'_, Reader>,
    program: &LineProgramHeader<Reader>,
    file: &FileEntry<Reader>,
) -> usize {
    let length = |text| unit.attr_string(text).map_or(0, |text: Reader| text.len());
    let home = unit.comp_dir.as_ref().map_or(0, |text| text.len());
    let directory = file.directory(program).map_or(0, length);
    home.saturating_add(directory)
        .saturating_add(length(file.path_name()))
}

fn check_ranges(
    unit: &UnitRef<'_, Reader>,
    list: AttributeValue<Reader>,
    budget: &mut Budget,
) -> Option<()> {
    // Bytes that a range takes at least.
    const RANGE: usize = 3;
    let Ok(Some(mut ranges)) = unit.attr_ranges(list) else {
        return Some(());
    };
    while let Ok(Some(_)) = ranges.next() {
        budget.spend(RANGE)?;
    }
    Some(())
}
