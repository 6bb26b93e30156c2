//! An eBPF object file: an ELF file like any other `.o`, with sections that the loader knows by
//! name.

use anyhow::{Context as _, Result};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

/// What a toolchain built from the lesson's program.
pub struct BuiltObject {
    pub instructions: Vec<[u8; 8]>,
    pub license: String,
    pub sections: Vec<String>,
}

/// The section of the program: its name says what the program is for.
pub const PROGRAM: &str = "xdp";

pub fn read_object(bytes: &[u8]) -> Result<BuiltObject> {
    let elf: ElfFile64 = ElfFile64::parse(bytes).context("cannot read the object file")?;
    let (instructions, _) = section_data(&elf, PROGRAM)?.as_chunks();
    let license = String::from_utf8_lossy(section_data(&elf, "license")?);
    let mut sections = Vec::new();
    for section in elf.sections() {
        let name = section.name().context("cannot read a section's name")?;
        // The first section of an ELF file is empty and has no name.
        if !name.is_empty() {
            sections.push(name.to_owned());
        }
    }
    Ok(BuiltObject {
        instructions: instructions.to_vec(),
        license: license.trim_end_matches('\0').to_owned(),
        sections,
    })
}

fn section_data<'a>(elf: &ElfFile64<'a>, name: &str) -> Result<&'a [u8]> {
    let section = elf
        .section_by_name(name)
        .with_context(|| format!("cannot find the section {name}"))?;
    section
        .data()
        .with_context(|| format!("cannot read the section {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruction::describe_instruction;

    #[test]
    fn reads_what_both_toolchains_built() {
        for bytes in [crate::aya::OBJECT, crate::libbpf::OBJECT] {
            let object = read_object(bytes).expect("both objects are built with this test");
            assert_eq!(object.license, "Dual MIT/GPL");
            let last = object.instructions.last().expect("it has instructions");
            assert_eq!(describe_instruction(last), "exit");
            assert!(object.sections.iter().any(|name| name == ".BTF"));
            assert!(!object.sections.iter().any(String::is_empty));
        }
    }

    #[test]
    fn refuses_what_is_no_object_file() {
        assert!(read_object(b"").is_err());
        assert!(read_object(b"\x7fELF, but not for long").is_err());
    }
}
