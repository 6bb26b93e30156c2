//! An eBPF object file: an ELF file like any other `.o`, with sections that the loader knows by
//! name.

use anyhow::{Context as _, Result};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

use crate::instruction::Instruction;

pub struct ObjectFile {
    pub instructions: Vec<Instruction>,
    pub licence: String,
    sections: Vec<String>,
}

/// The section of the program: its name says what the program is for.
pub const PROGRAM: &str = "xdp";

impl ObjectFile {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let elf: ElfFile64 = ElfFile64::parse(bytes).context("read the object file")?;
        let section = |name: &str| -> Result<&[u8]> {
            let section = elf
                .section_by_name(name)
                .with_context(|| format!("find section {name}"))?;
            section
                .data()
                .with_context(|| format!("read section {name}"))
        };
        Ok(Self {
            instructions: section(PROGRAM)?
                .chunks_exact(8)
                .map(Instruction::read)
                .collect(),
            licence: String::from_utf8_lossy(section("license")?)
                .trim_end_matches('\0')
                .to_owned(),
            sections: elf
                .sections()
                .filter_map(|section| Some(section.name().ok()?.to_owned()))
                .collect(),
        })
    }

    pub fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|name| name == section)
    }

    /// How many sections there are that none of `names` names.
    pub fn others(&self, names: &[&str]) -> usize {
        self.sections
            .iter()
            .filter(|name| !name.is_empty() && !names.contains(&name.as_str()))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_both_toolchains_made() {
        for bytes in [crate::aya::OBJECT, crate::libbpf::OBJECT] {
            let file = ObjectFile::read(bytes).expect("both objects are built with this test");
            assert_eq!(file.licence, "Dual MIT/GPL");
            assert_eq!(
                file.instructions.last().map(ToString::to_string).as_deref(),
                Some("exit")
            );
            assert!(file.has(".BTF") && !file.has("nothing"));
        }
    }

    #[test]
    fn refuses_what_is_no_object_file() {
        assert!(ObjectFile::read(b"").is_err());
        assert!(ObjectFile::read(b"\x7fELF, but not for long").is_err());
    }
}
