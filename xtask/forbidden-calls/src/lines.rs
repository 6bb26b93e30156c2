//! Source lines of instructions, through inlined functions.

use std::collections::HashMap;
use std::sync::Arc;

use addr2line::Context;
use gimli::{EndianArcSlice, RunTimeEndian};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget,
};

/// A place in a source file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    /// As the compiler knew it.
    pub file: String,
    pub line: u32,
    /// 0 where it is not known.
    pub column: u32,
}

/// A function at an instruction: inlined ones first, the one that they are in last.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its full path.
    pub function: String,
    pub site: Site,
}

type Reader = EndianArcSlice<RunTimeEndian>;

pub struct Lines(Context<Reader>);

/// Each section of an object file begins at address 0; the debug information is read as if they
/// came one after another, this far apart.
const SECTION_SPACING: u32 = 32;

/// R_BPF_64_ABS64: the address of a symbol, in 8 bytes. LLVM before 13 wrote R_BPF_64_64 here.
const ADDRESSES: [u32; 2] = [2, object::elf::R_BPF_64_64];

impl Lines {
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
        let sections = gimli::Dwarf::load(load).ok()?;
        Context::from_dwarf(sections).ok().map(Self)
    }

    pub fn frames(&self, section: usize, offset: u64) -> Vec<Frame> {
        let Some(address) = address(section, offset) else {
            return Vec::new();
        };
        let Ok(mut inner_first) = self.0.find_frames(address).skip_all_loads() else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = inner_first.next() {
            let function = frame
                .function
                .as_ref()
                .and_then(|name| Some(name.raw_name().ok()?.into_owned()));
            let location = frame.location.as_ref();
            let Some((file, line)) = location.and_then(|at| Some((at.file?, at.line?))) else {
                continue;
            };
            frames.push(Frame {
                function: function.map_or(String::new(), |name| crate::code::demangle(&name)),
                site: Site {
                    file: file.to_owned(),
                    line,
                    column: location.and_then(|at| at.column).unwrap_or(0),
                },
            });
        }
        frames
    }
}

fn address(section: usize, offset: u64) -> Option<u64> {
    let section = u64::try_from(section)
        .ok()
        .filter(|section| *section < 1 << (63 - SECTION_SPACING))?;
    (offset >> SECTION_SPACING == 0).then_some((section << SECTION_SPACING) + offset)
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
            address(symbol.section_index()?.0, symbol.address())
        });
        if let Some(base) = base {
            add(&mut bytes, offset, base, file.is_little_endian());
        }
    }
    Some(bytes)
}

fn add(bytes: &mut [u8], offset: u64, base: u64, is_little: bool) {
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

/// The innermost line that is no library's.
pub fn own_site(frames: &[Frame]) -> Option<Site> {
    let own = frames.iter().find(|frame| !frame.site.is_library());
    own.map(|frame| frame.site.clone())
}

impl Site {
    /// Rust's own source, as rustup, Debian and builds of Rust itself place it, and what cargo
    /// fetched.
    fn is_library(&self) -> bool {
        const PARTS: [&str; 6] = [
            "/library/core/",
            "/library/alloc/",
            "/library/compiler-builtins/",
            "/rustc/",
            "/registry/src/",
            "/git/checkouts/",
        ];
        PARTS.iter().any(|part| self.file.contains(part))
    }
}

impl Frame {
    /// The name of a library's function, without its path: `unwrap`.
    pub fn library_function(&self) -> Option<&str> {
        self.site
            .is_library()
            .then(|| self.function.rsplit("::").next().unwrap_or_default())
    }
}
