//! An object file that is to be verified.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use forbidden_calls::check_name_lengths;
use memchr::memmem;
use object::{Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use plan::load::{Load, LoadResult};
use problem::Problem;

use crate::pipeline::forbidden::LineReport;

/// An object may take this part of a VM's memory.
const PART_OF_MEMORY: u64 = 3;

/// What goes into a VM at once has less than 128 MiB, the loader and its libraries included.
const LARGEST_MIB: u64 = 100;

/// What is known of it without a VM. Its bytes are read when they are needed: hundreds of objects
/// would fill the memory.
pub struct InputObject {
    /// As the user named it.
    pub path: String,
    /// In the guest. Files of two directories may be called the same.
    pub name: String,
    pub size: u64,
    /// Of functions; each may be a program.
    pub functions: Vec<String>,
    /// Names of maps.
    pub maps: Vec<String>,
    /// Of the kernel, whose functions its sections name: `fentry/nf_conntrack:nf_conntrack_in`.
    pub modules: Vec<String>,
    /// Of each function.
    pub sections: Vec<String>,
    /// It asks for values of the kernel's configuration.
    pub reads_config: bool,
}

impl InputObject {
    /// `memory_mib` is a VM's, which holds the file beside all else.
    pub fn open_object(number: usize, path: &Path, memory_mib: u32) -> Result<Self, Problem> {
        check_size(path, memory_mib)?;
        let bytes = fs::read(path).map_err(|error| {
            Problem::usage(format!("cannot read {}: {error}", path.display()))
                .help("cargo xtask verify takes object files: the .o that clang or cargo wrote")
        })?;
        let file = parse(&bytes).map_err(|why| {
            let shown = path.display();
            Problem::usage(format!("{shown} is not an eBPF object file: {why}"))
                .help("clang -target bpf -O2 -g -c program.bpf.c -o program.o makes one")
        })?;
        let (functions, sections) = symbols_in(&file, |kind, section| {
            kind == SymbolKind::Text && !section.is_empty()
        });
        let (maps, _) = symbols_in(&file, |_, section| {
            section == ".maps" || section.split('/').next() == Some("maps")
        });
        Ok(Self {
            path: path.display().to_string(),
            name: format!("{number}.o"),
            size: bytes.len() as u64,
            functions,
            maps,
            modules: modules_in(&sections),
            sections,
            reads_config: memmem::find(&bytes, b"\0.kconfig\0").is_some(),
        })
    }

    pub fn read_bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| format!("cannot read {}", self.path))
    }

    /// One for each function, and one for the whole object.
    pub fn most_verdicts(&self) -> usize {
        self.functions.len() + 1
    }

    /// What it tells about a program that was not accepted.
    pub fn report_lines(&self, load: &Load) -> LineReport {
        let program = Some(load.program.as_str()).filter(|name| !name.is_empty());
        let lines = match &load.result {
            LoadResult::Accepted(_) => return LineReport::default(),
            result => self.read_bytes().map_or_else(
                |_| LineReport::default(),
                |bytes| match result {
                    LoadResult::Rejected { log, .. } => {
                        LineReport::of_rejection(&bytes, program, log.as_bytes())
                    }
                    _ => LineReport::of_object(&bytes, program),
                },
            ),
        };
        lines.with_build_time(Path::new(&self.path))
    }
}

fn check_size(path: &Path, memory_mib: u32) -> Result<(), Problem> {
    let size = fs::metadata(path).map_or(0, |about| about.len()) >> 20;
    let limit = u64::from(memory_mib) / PART_OF_MEMORY;
    if size <= limit.min(LARGEST_MIB) {
        return Ok(());
    }
    let problem = Problem::usage(format!(
        "{} has {size} MiB, and a VM of {memory_mib} MiB takes {} at most",
        path.display(),
        limit.min(LARGEST_MIB)
    ));
    Err(if size <= LARGEST_MIB {
        problem.help(format!(
            "--memory {}",
            size * PART_OF_MEMORY + PART_OF_MEMORY
        ))
    } else {
        problem.help("llvm-strip -g FILE takes debug information out, and leaves BTF in")
    })
}

fn parse(bytes: &[u8]) -> Result<object::File<'_>, String> {
    let file = object::File::parse(bytes).map_err(|_| "it is no ELF file")?;
    match file.architecture() {
        Architecture::Bpf if file.is_little_endian() => {
            check_name_lengths(&file, bytes.len())?;
            Ok(file)
        }
        Architecture::Bpf => Err("it is big-endian, and the kernels here are not".to_owned()),
        other => Err(format!("it is for another machine ({other:?})")),
    }
}

/// The names of these symbols, and of the section of each.
fn symbols_in(
    file: &object::File<'_>,
    is_wanted: impl Fn(SymbolKind, &str) -> bool,
) -> (Vec<String>, Vec<String>) {
    let named = file.symbols().filter_map(|symbol| {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        let (name, section) = (symbol.name().ok()?, section.name().ok()?);
        let is_wanted = !name.is_empty() && is_wanted(symbol.kind(), section);
        is_wanted.then(|| (name.to_owned(), section.to_owned()))
    });
    named.unzip()
}

/// `nf_conntrack` of `fentry/nf_conntrack:nf_conntrack_in`. Sections of tracepoints and of USDT
/// have colons too, and other meanings for them.
fn modules_in(sections: &[String]) -> Vec<String> {
    const KINDS: [&str; 9] = [
        "kprobe",
        "kretprobe",
        "fentry",
        "fentry.s",
        "fexit",
        "fexit.s",
        "fmod_ret",
        "fmod_ret.s",
        "fsession",
    ];
    let named = sections.iter().filter_map(|section| {
        let (kind, target) = section.split_once('/')?;
        let (module, _) = target.split_once(':')?;
        KINDS.contains(&kind).then(|| module.to_owned())
    });
    let mut modules: Vec<String> = named.collect();
    modules.sort();
    modules.dedup();
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ebpf_object_is_said() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let why = parse(&own).err().unwrap();
        assert_eq!(why, "it is for another machine (X86_64)");
        assert_eq!(parse(b"text").err().unwrap(), "it is no ELF file");
        let problem = InputObject::open_object(0, Path::new("/nothing/here"), 256);
        let problem = problem.err().unwrap().to_string();
        assert!(
            problem.starts_with("cannot read /nothing/here"),
            "{problem}"
        );
    }

    #[test]
    fn names_that_are_longer_than_the_file_are_refused() {
        use object::write::{Object, StandardSection, Symbol, SymbolSection};
        use object::{BinaryFormat, Endianness, SymbolFlags, SymbolScope};
        let file_with = |count: usize| {
            let mut file = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
            let section = SymbolSection::Section(file.section_id(StandardSection::Text));
            for _ in 0..count {
                // A name that several symbols have is there once.
                file.add_symbol(Symbol {
                    name: vec![b'n'; 10_000],
                    value: 0,
                    size: 0,
                    kind: SymbolKind::Text,
                    scope: SymbolScope::Linkage,
                    weak: false,
                    section,
                    flags: SymbolFlags::None,
                });
            }
            file.write().unwrap()
        };
        assert!(parse(&file_with(10)).is_ok());
        let why = parse(&file_with(1000)).map(drop).unwrap_err();
        assert_eq!(why, "its names are longer than the file");
    }

    #[test]
    fn a_file_that_would_fill_the_vm_is_refused_with_what_helps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.o");
        fs::File::create(&path).unwrap().set_len(90 << 20).unwrap();
        check_size(&path, 512).unwrap();
        let problem = check_size(&path, 256).unwrap_err();
        assert!(problem.to_string().contains("has 90 MiB"), "{problem}");
        assert_eq!(problem.help_lines(), ["--memory 273"]);
        fs::File::create(&path).unwrap().set_len(400 << 20).unwrap();
        let problem = check_size(&path, 8192).unwrap_err();
        assert!(problem.help_lines()[0].starts_with("llvm-strip"));
    }

    #[test]
    fn modules_are_named_before_a_colon() {
        let sections = [
            "fentry/nf_conntrack:nf_conntrack_in",
            "kprobe/nf_conntrack:nf_conntrack_in",
            "fentry/vfs_open",
            "uprobe//bin/sh:main",
            "tp_btf/sched:sched_switch",
        ]
        .map(str::to_owned);
        assert_eq!(modules_in(&sections), ["nf_conntrack"]);
    }
}
