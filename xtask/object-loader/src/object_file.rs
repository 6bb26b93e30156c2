//! What an ELF file says about itself.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::{fs, mem};

use anyhow::{Context as _, Result, ensure};
use object::elf::{self, FileHeader64};
use object::read::elf::ElfFile;
use object::{
    Architecture, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind,
};

use crate::origin;

pub struct ObjectFile {
    pub bytes: Vec<u8>,
    /// Names of functions, and of the sections that they lie in.
    functions: Vec<(String, String)>,
    sections: Vec<String>,
    license: CString,
    made_by_rustc: bool,
}

/// Where functions are that belong to no hook: programs call them.
pub const SUBPROGRAMS: &str = ".text";

impl ObjectFile {
    pub fn read_file(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(bytes)
    }

    pub fn parse(bytes: Vec<u8>) -> Result<Self> {
        let file = object::File::parse(bytes.as_slice()).context("this is no ELF file")?;
        let machine = file.architecture();
        ensure!(
            machine == Architecture::Bpf,
            "this ELF file is for {machine:?}, not for eBPF"
        );
        ensure!(
            file.is_little_endian(),
            "it is for big-endian machines (bpfeb), and this one is little-endian"
        );
        let sections = file
            .sections()
            .filter_map(|section| Some(section.name().ok()?.to_owned()))
            .collect();
        let mut functions = Vec::new();
        for symbol in file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text)
        {
            let Some(index) = symbol.section_index() else {
                continue;
            };
            let section = file.section_by_index(index)?.name()?;
            functions.push((symbol.name()?.to_owned(), section.to_owned()));
        }
        let made_by_rustc = origin::is_rustc(&file);
        let license = file
            .section_by_name("license")
            .and_then(|section| section.data().ok())
            .unwrap_or_default();
        let license = license.split(|&byte| byte == 0).next().unwrap_or_default();
        let license = CString::new(license)?;
        Ok(Self {
            bytes,
            functions,
            sections,
            license,
            made_by_rustc,
        })
    }

    /// Then its author loads it with aya.
    pub fn is_made_by_rustc(&self) -> bool {
        self.made_by_rustc
    }

    /// Where aya's older macros put maps; libbpf gave that format up with version 1.0.
    pub fn has_legacy_maps(&self) -> bool {
        self.sections
            .iter()
            .any(|name| name == "maps" || name.starts_with("maps/"))
    }

    /// Whether it has more than maps, types, and functions for programs of other files.
    pub fn has_programs(&self) -> bool {
        self.functions
            .iter()
            .any(|(_, section)| section != SUBPROGRAMS)
    }

    /// The licence that its programs are loaded under; empty without one.
    pub fn license(&self) -> &CStr {
        &self.license
    }

    /// Makes programs of static functions: cilium/ebpf takes them, libbpf refuses the whole object.
    /// Returns their names.
    pub fn export_static_programs(&mut self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let file = ElfFile::<FileHeader64<Endianness>>::parse(self.bytes.as_slice())?;
        let Some(table) = file.section_by_name(".symtab") else {
            return Ok(Vec::new());
        };
        let (table, _) = table.file_range().context("its symbols are nowhere")?;
        for symbol in file.symbols() {
            let Some(index) = symbol.section_index() else {
                continue;
            };
            let section = file.section_by_index(index)?.name()?;
            if symbol.kind() == SymbolKind::Text && symbol.is_local() && section != SUBPROGRAMS {
                let entry = symbol.index().0 * mem::size_of::<elf::Sym64<Endianness>>();
                let info =
                    table as usize + entry + mem::offset_of!(elf::Sym64<Endianness>, st_info);
                found.push((symbol.name()?.to_owned(), info));
            }
        }
        for &(_, info) in &found {
            let byte = self.bytes.get_mut(info).context("a symbol is cut off")?;
            *byte = elf::STB_GLOBAL << 4 | *byte & 0xf;
        }
        Ok(found.into_iter().map(|(name, _)| name).collect())
    }

    pub fn section_of(&self, function: &str) -> &str {
        self.functions
            .iter()
            .find(|(name, _)| name == function)
            .map_or("", |(_, section)| section)
    }
}
