//! Source lines of instructions, through inlined functions.

use std::collections::HashMap;
use std::sync::Arc;

use addr2line::Context;
use gimli::{EndianArcSlice, RunTimeEndian};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget,
};

use crate::debug_limits::{Reader, check_debug_information};
use crate::demangle::demangle_name;
use crate::site::{SourceFrame, SourceSite};

pub struct LineTable(Context<Reader>);

/// Each section of an object file begins at address 0; the debug information is read as if they
/// came one after another, this far apart.
const SECTION_SPACING: u32 = 32;

/// R_BPF_64_ABS64: the address of a symbol, in 8 bytes. LLVM before 13 wrote R_BPF_64_64 here.
const ADDRESSES: [u32; 2] = [2, object::elf::R_BPF_64_64];

/// More functions that are inlined in each other are not looked at.
const DEEPEST: usize = 64;

/// `PATH_MAX` of the kernel's source.
const LONGEST_PATH: usize = 4096;

impl LineTable {
    /// `None` where the object has no debug information that can be read.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let file = object::File::parse(bytes).ok()?;
        file.section_by_name(".debug_info")?;
        let endian = if file.is_little_endian() {
            RunTimeEndian::Little
        } else {
            RunTimeEndian::Big
        };
        let load = |id: gimli::SectionId| {
            let bytes = relocated(&file, id.name()).unwrap_or_default();
            Ok::<_, gimli::Error>(EndianArcSlice::new(Arc::from(bytes), endian))
        };
        let mut sections = gimli::Dwarf::load(load).ok()?;
        check_debug_information(&mut sections)?;
        Context::from_dwarf(sections).ok().map(Self)
    }

    pub fn find_frames(&self, section: usize, offset: u64) -> Vec<SourceFrame> {
        let Some(address) = address_of(section, offset) else {
            return Vec::new();
        };
        let Ok(mut inner_first) = self.0.find_frames(address).skip_all_loads() else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        while frames.len() < DEEPEST
            && let Ok(Some(frame)) = inner_first.next()
        {
            let function = frame
                .function
                .as_ref()
                .and_then(|name| Some(name.raw_name().ok()?.into_owned()));
            let location = frame.location.as_ref();
            let Some((file, line)) = location.and_then(|at| Some((at.file?, at.line?))) else {
                continue;
            };
            frames.push(SourceFrame {
                function: function.map_or(String::new(), |name| demangle_name(&name)),
                site: SourceSite {
                    file: file[..file.floor_char_boundary(LONGEST_PATH)].to_owned(),
                    line,
                    column: location.and_then(|at| at.column).unwrap_or(0),
                },
            });
        }
        frames
    }
}

fn address_of(section: usize, offset: u64) -> Option<u64> {
    let section = u64::try_from(section)
        .ok()
        .filter(|section| *section < 1 << (63 - SECTION_SPACING))?;
    (offset >> SECTION_SPACING == 0).then(|| (section << SECTION_SPACING) + offset)
}

/// A section's bytes with the addresses of code filled in. Offsets into other sections are there
/// already.
fn relocated(file: &object::File<'_>, name: &str) -> Option<Vec<u8>> {
    let section = file.section_by_name(name)?;
    let mut bytes = section.uncompressed_data().ok()?.into_owned();
    let mut known = HashMap::new();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            continue;
        };
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            continue;
        };
        if !ADDRESSES.contains(&r_type) {
            continue;
        }
        let base = *known.entry(index).or_insert_with(|| {
            let symbol = file.symbol_by_index(index).ok()?;
            address_of(symbol.section_index()?.0, symbol.address())
        });
        if let Some(base) = base {
            add_base(&mut bytes, offset, base, file.is_little_endian());
        }
    }
    Some(bytes)
}

fn add_base(bytes: &mut [u8], offset: u64, base: u64, is_little: bool) {
    let Some(place) = usize::try_from(offset)
        .ok()
        .and_then(|at| bytes.get_mut(at..at.checked_add(8)?))
    else {
        return;
    };
    let Ok(old) = <[u8; 8]>::try_from(&*place) else {
        return;
    };
    let new = if is_little {
        u64::from_le_bytes(old).wrapping_add(base).to_le_bytes()
    } else {
        u64::from_be_bytes(old).wrapping_add(base).to_be_bytes()
    };
    place.copy_from_slice(&new);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symbol may claim any address.
    #[test]
    fn an_address_that_no_section_has_is_none() {
        assert_eq!(address_of(3, 8), Some((3 << 32) + 8));
        assert_eq!(address_of(1, u64::MAX), None);
        assert_eq!(address_of(usize::MAX, 8), None);
    }
}
