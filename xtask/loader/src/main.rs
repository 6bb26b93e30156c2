//! Loads every program of eBPF object files, one at a time, and prints what the verifier made of it.
//!
//! ```text
//!   object_file   what can be read from the ELF file itself
//!   libbpf        loads with libbpf: objects of clang, bpf2go, and most of bpf-linker's
//!   aya           loads with aya: objects of bpf-linker
//!   info          what the kernel tells about a program that it loaded
//!   log           the verifier's log, short enough for a serial line
//!   privileges    gives rights up, to meet the errors that root never sees
//! ```
//!
//! It runs in a guest of `cargo xtask`, as one step of a plan: an object that crashes it, or never ends, takes only its
//! own step along. Programs are loaded, never attached.

mod aya;
mod info;
mod libbpf;
mod log;
mod object_file;
mod privileges;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use plan::load::{Load, LoadResult};

use object_file::ObjectFile;

/// Loads every program of eBPF object files and prints a line of JSON for each.
#[derive(Parser)]
struct Cli {
    /// Which library loads them
    #[arg(long, value_enum, default_value_t)]
    with: Library,
    /// Give up CAP_PERFMON and CAP_SYS_ADMIN first: the verifier is stricter then
    #[arg(long)]
    without_perfmon: bool,
    #[arg(required = true)]
    objects: Vec<PathBuf>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq, ValueEnum)]
enum Library {
    /// libbpf, or aya for what libbpf does not read
    #[default]
    Auto,
    Libbpf,
    Aya,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if cli.without_perfmon {
        privileges::drop_perfmon()?;
    }
    libbpf::keep_messages();
    let mut aya = None;
    for path in &cli.objects {
        let name = path.display().to_string();
        let mut tell = |program: &str, section: &str, result| print(&name, program, section, result);
        let object = match ObjectFile::read(path) {
            Ok(object) => object,
            Err(error) => {
                tell("", "", LoadResult::Failed { why: format!("{error:#}") })?;
                continue;
            }
        };
        let with_aya = match cli.with {
            Library::Auto => object.has_legacy_maps(),
            library => library == Library::Aya,
        };
        if with_aya {
            // Starting aya means parsing the kernel's BTF: once is enough.
            aya.get_or_insert_with(aya::Loader::start).load(&object, &mut tell)?;
        } else {
            libbpf::load(&object, &mut tell)?;
        }
    }
    Ok(())
}

/// Receives the name of a program, its section, and what became of it.
type Tell<'a> = &'a mut dyn FnMut(&str, &str, LoadResult) -> Result<()>;

fn print(object: &str, program: &str, section: &str, result: LoadResult) -> Result<()> {
    let line =
        Load { object: object.to_owned(), program: program.to_owned(), section: section.to_owned(), result };
    let mut text = serde_json::to_string(&line)?;
    text.push('\n');
    io::stdout().write_all(text.as_bytes()).context("print")?;
    io::stdout().flush().context("print")
}

fn read(path: &PathBuf) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
