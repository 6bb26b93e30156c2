//! What an ELF file says about itself.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::{Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::origin;

pub struct ObjectFile {
    pub bytes: Vec<u8>,
    /// Names of functions, and of the sections that they lie in.
    functions: Vec<(String, String)>,
    sections: Vec<String>,
    made_by_rustc: bool,
}

impl ObjectFile {
    pub fn read_file(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(bytes)
    }

    fn parse(bytes: Vec<u8>) -> Result<Self> {
        let file = object::File::parse(bytes.as_slice()).context("this is no ELF file")?;
        let machine = file.architecture();
        ensure!(
            machine == Architecture::Bpf,
            "this ELF file is for {machine:?}, not for eBPF"
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
        if functions.iter().all(|(_, section)| section == ".text") {
            bail!(
                "it has no programs: no function is in a section of its own, \
                 as SEC(\"kprobe/...\") puts it"
            );
        }
        let made_by_rustc = origin::is_rustc(&file);
        Ok(Self {
            bytes,
            functions,
            sections,
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

    pub fn section_of(&self, function: &str) -> &str {
        self.functions
            .iter()
            .find(|(name, _)| name == function)
            .map_or("", |(_, section)| section)
    }
}
