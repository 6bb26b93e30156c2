//! A program that is made for one run, for probes to see. Nobody can know beforehand what its
//! functions are called, where they are in its file, and which addresses they have.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64, Sym64};
use object::endian::{LittleEndian, U16, U32, U64};
use object::pod::{bytes_of, bytes_of_slice};

use crate::target_code::{self, code};
use crate::work;

const PAGE: u64 = 4096;

/// The sections of the file, in their order.
const SECTIONS: [&str; 5] = ["", ".text", ".symtab", ".strtab", ".shstrtab"];

/// The file, which goes when this is dropped.
pub struct TargetFile {
    pub path: PathBuf,
    /// The names of its two functions.
    pub functions: [String; 2],
}

impl TargetFile {
    pub fn make() -> Result<Self> {
        let path = Path::new("/tmp").join(work::any_name());
        let functions = [work::any_name(), work::any_name()];
        fs::write(&path, write_elf(&functions))
            .with_context(|| format!("write {}", path.display()))?;
        let target = Self { path, functions };
        fs::set_permissions(&target.path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("make {} executable", target.path.display()))?;
        Ok(target)
    }

    pub fn start(&self) -> Result<RunningTarget> {
        let mut child = Command::new(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", self.path.display()))?;
        // The kernel lets us go on a moment before it has exchanged the program of the child.
        let exe = format!("/proc/{}/exe", child.id());
        let own = fs::read_link("/proc/self/exe")?;
        while fs::read_link(&exe).with_context(|| format!("read {exe}"))? == own {
            thread::yield_now();
        }
        let input = child.stdin.take().context("its input")?;
        let output = child.stdout.take().context("its output")?;
        Ok(RunningTarget {
            child,
            input,
            output,
        })
    }
}

impl Drop for TargetFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A process that runs it, up to the drop.
pub struct RunningTarget {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl RunningTarget {
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Lets it call the function with this index, and returns after the last call.
    pub fn call_function(&mut self, index: usize, times: u64) -> Result<()> {
        let byte = [u8::from(index == 0)];
        for _ in 0..times {
            self.input.write_all(&byte).context("ask for a call")?;
            let mut echo = [0];
            self.output.read_exact(&mut echo).context("wait for it")?;
            ensure!(echo == byte, "a program of the judge gave another answer");
        }
        Ok(())
    }
}

impl Drop for RunningTarget {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The code is at any place in the file, and at any address: the two have only the offset in a
/// page in common.
fn write_elf(functions: &[String; 2]) -> Vec<u8> {
    let code_offset = PAGE * fastrand::u64(1..8) + 16 * fastrand::u64(0..200);
    let code_address = PAGE * fastrand::u64(0x1000..0x10_0000) + code_offset % PAGE;
    let mut file = vec![0; code_offset as usize];
    file.extend_from_slice(code());

    let mut names = vec![0];
    let mut symbols = vec![Sym64::<LittleEndian>::default()];
    for (name, place) in functions.iter().zip(target_code::functions()) {
        symbols.push(Sym64 {
            st_name: u32_of(add_name(&mut names, name)),
            st_info: (elf::STB_GLOBAL << 4) | elf::STT_FUNC,
            st_other: 0,
            st_shndx: U16::new(LittleEndian, 1),
            st_value: u64_of(code_address + place.start),
            st_size: u64_of(place.end - place.start),
        });
    }
    let mut section_names = vec![];
    let section_name = SECTIONS.map(|name| add_name(&mut section_names, name));
    let mut add = |bytes: &[u8]| {
        file.resize(file.len().next_multiple_of(8), 0);
        let offset = file.len() as u64;
        file.extend_from_slice(bytes);
        (offset, bytes.len() as u64)
    };
    let tables = [
        (elf::SHT_SYMTAB, add(bytes_of_slice(&symbols))),
        (elf::SHT_STRTAB, add(&names)),
        (elf::SHT_STRTAB, add(&section_names)),
    ];
    let text = SectionHeader64 {
        sh_name: u32_of(section_name[1]),
        sh_type: u32_of(elf::SHT_PROGBITS),
        sh_flags: u64_of((elf::SHF_ALLOC | elf::SHF_EXECINSTR).into()),
        sh_addr: u64_of(code_address),
        sh_offset: u64_of(code_offset),
        sh_size: u64_of(code().len() as u64),
        ..empty_section()
    };
    let table = |(name, (kind, (offset, size))): (&u32, (u32, (u64, u64)))| SectionHeader64 {
        sh_name: u32_of(*name),
        sh_type: u32_of(kind),
        sh_offset: u64_of(offset),
        sh_size: u64_of(size),
        // Of a symbol table: the section with its names, and its first global symbol.
        sh_link: u32_of(if kind == elf::SHT_SYMTAB { 3 } else { 0 }),
        sh_info: u32_of(u32::from(kind == elf::SHT_SYMTAB)),
        sh_entsize: u64_of(if kind == elf::SHT_SYMTAB { 24 } else { 0 }),
        ..empty_section()
    };
    let mut sections = vec![empty_section(), text];
    sections.extend(section_name[2..].iter().zip(tables).map(table));
    let (sections_offset, _) = add(bytes_of_slice(&sections));

    let headers = [
        bytes_of(&file_header(code_address, sections_offset)),
        bytes_of(&segment(code_offset, code_address)),
    ]
    .concat();
    file[..headers.len()].copy_from_slice(&headers);
    file
}

fn file_header(entry: u64, sections_offset: u64) -> FileHeader64<LittleEndian> {
    FileHeader64 {
        e_ident: elf::Ident {
            magic: elf::ELFMAG,
            class: elf::ELFCLASS64,
            data: elf::ELFDATA2LSB,
            version: elf::EV_CURRENT,
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: u16_of(elf::ET_EXEC),
        e_machine: u16_of(target_code::ELF_MACHINE),
        e_version: u32_of(elf::EV_CURRENT.into()),
        e_entry: u64_of(entry),
        e_phoff: u64_of(size_of::<FileHeader64<LittleEndian>>() as u64),
        e_shoff: u64_of(sections_offset),
        e_flags: u32_of(0),
        e_ehsize: u16_of(size_of::<FileHeader64<LittleEndian>>() as u16),
        e_phentsize: u16_of(size_of::<ProgramHeader64<LittleEndian>>() as u16),
        e_phnum: u16_of(1),
        e_shentsize: u16_of(size_of::<SectionHeader64<LittleEndian>>() as u16),
        e_shnum: u16_of(SECTIONS.len() as u16),
        e_shstrndx: u16_of(SECTIONS.len() as u16 - 1),
    }
}

/// What the kernel maps: the code.
fn segment(offset: u64, address: u64) -> ProgramHeader64<LittleEndian> {
    let length = u64_of(code().len() as u64);
    ProgramHeader64 {
        p_type: u32_of(elf::PT_LOAD),
        p_flags: u32_of(elf::PF_R | elf::PF_X),
        p_offset: u64_of(offset),
        p_vaddr: u64_of(address),
        p_paddr: u64_of(address),
        p_filesz: length,
        p_memsz: length,
        p_align: u64_of(PAGE),
    }
}

fn empty_section() -> SectionHeader64<LittleEndian> {
    SectionHeader64 {
        sh_name: u32_of(0),
        sh_type: u32_of(elf::SHT_NULL),
        sh_flags: u64_of(0),
        sh_addr: u64_of(0),
        sh_offset: u64_of(0),
        sh_size: u64_of(0),
        sh_link: u32_of(0),
        sh_info: u32_of(0),
        sh_addralign: u64_of(1),
        sh_entsize: u64_of(0),
    }
}

/// Returns where it is in the table.
fn add_name(table: &mut Vec<u8>, name: &str) -> u32 {
    let offset = table.len() as u32;
    table.extend_from_slice(name.as_bytes());
    table.push(0);
    offset
}

fn u16_of(number: u16) -> U16<LittleEndian> {
    U16::new(LittleEndian, number)
}

fn u32_of(number: u32) -> U32<LittleEndian> {
    U32::new(LittleEndian, number)
}

fn u64_of(number: u64) -> U64<LittleEndian> {
    U64::new(LittleEndian, number)
}

#[cfg(test)]
mod tests {
    use object::{Object as _, ObjectSymbol as _};

    use super::*;

    #[test]
    fn it_runs_and_has_both_symbols() {
        let target = TargetFile::make().expect("it is written");
        let bytes = fs::read(&target.path).expect("it is there");
        let file = object::File::parse(&*bytes).expect("it is an ELF file");
        let names: Vec<_> = file
            .symbols()
            .map(|symbol| symbol.name().unwrap())
            .collect();
        assert_eq!(names, target.functions);
        let mut running = target.start().expect("it starts");
        running.call_function(0, 3).expect("it calls");
        running.call_function(1, 2).expect("it calls");
    }
}
