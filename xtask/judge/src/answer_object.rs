//! What the learner's ELF file says about itself, whatever library will load it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolKind};

pub struct AnswerObject {
    pub bytes: Vec<u8>,
    pub symbols: Vec<Symbol>,
}

/// A function or a variable.
pub struct Symbol {
    pub name: String,
    /// The name of the section that it is in: a loader learns from it what a program is, and where
    /// it is attached.
    pub section: String,
    pub is_function: bool,
    pub address: usize,
    pub size: usize,
}

impl AnswerObject {
    pub fn read_file(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let symbols =
            symbols_of(&bytes).with_context(|| format!("read {} as ELF", path.display()))?;
        Ok(Self { bytes, symbols })
    }

    pub fn find_function(&self, name: &str) -> Option<&Symbol> {
        self.symbols
            .iter()
            .find(|symbol| symbol.is_function && symbol.name == name)
    }

    pub fn find_variable(&self, name: &str) -> Option<&Symbol> {
        self.symbols
            .iter()
            .find(|symbol| !symbol.is_function && symbol.name == name)
    }

    /// Rust changes the names of what is not `no_mangle`: `FAILED` becomes
    /// `_ZN7removed6FAILED17h...E`.
    pub fn find_mangled_variable(&self, name: &str) -> Option<&Symbol> {
        let part = format!("{}{name}", name.len());
        let is_it = |symbol: &&Symbol| {
            !symbol.is_function && symbol.name.starts_with("_") && symbol.name.contains(&part)
        };
        self.symbols.iter().find(is_it)
    }
}

fn symbols_of(bytes: &[u8]) -> Result<Vec<Symbol>> {
    let file = object::File::parse(bytes)?;
    let mut symbols = Vec::new();
    for symbol in file.symbols() {
        let is_function = match symbol.kind() {
            SymbolKind::Text => true,
            SymbolKind::Data | SymbolKind::Unknown => false,
            _ => continue,
        };
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let section = file.section_by_index(index)?;
        // Labels in code are neither functions nor variables.
        if !is_function && section.kind() == SectionKind::Text {
            continue;
        }
        symbols.push(Symbol {
            name: symbol.name()?.to_owned(),
            section: section.name()?.to_owned(),
            is_function,
            address: symbol.address() as usize,
            size: symbol.size() as usize,
        });
    }
    Ok(symbols)
}
