//! Loads every program of eBPF object files, one at a time, and prints what the verifier made of
//! it.
//!
//! ```text
//!   object_file   what can be read from the ELF file itself
//!   origin        which compiler made it
//!   libbpf        loads with libbpf: objects of clang, bpf2go and other compilers
//!   aya           loads with aya: objects of rustc
//!   info          what the kernel tells about a program that it loaded
//!   log           the verifier's log, short enough for a serial line
//!   tell          who is told what became of a program
//!   privileges    gives rights up, to meet the errors that root never sees
//! ```
//!
//! It runs in a guest of `cargo xtask`, as one step of a plan: an object that crashes it, or never
//! ends, takes only its own step along. Programs are loaded, never attached.

mod aya;
mod info;
mod libbpf;
mod log;
mod object_file;
mod origin;
mod privileges;
mod tell;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use libbpf_rs::PrintLevel;
use plan::load::{EbpfLibrary, Load, LoadResult, LoaderLine};
use verifier_output::keep_messages;

use object_file::ObjectFile;

/// Loads every program of eBPF object files and prints a line of JSON for each.
#[derive(Parser)]
struct Cli {
    /// Which library loads them
    #[arg(long, value_enum, default_value_t)]
    with: With,
    /// Give up CAP_PERFMON and CAP_SYS_ADMIN first: the verifier is stricter then
    #[arg(long)]
    without_perfmon: bool,
    #[arg(required = true)]
    objects: Vec<PathBuf>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq, ValueEnum)]
enum With {
    /// aya for what rustc made, libbpf for the rest
    #[default]
    Auto,
    Libbpf,
    Aya,
}

impl With {
    fn library(self, object: &ObjectFile) -> EbpfLibrary {
        match self {
            // libbpf gave up the map definitions of aya's older macros with version 1.0, whoever
            // wrote them.
            Self::Auto if object.is_made_by_rustc() || object.has_legacy_maps() => EbpfLibrary::Aya,
            Self::Auto | Self::Libbpf => EbpfLibrary::Libbpf,
            Self::Aya => EbpfLibrary::Aya,
        }
    }
}

fn main() -> ExitCode {
    match load_objects(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load_objects(cli: &Cli) -> Result<()> {
    if cli.without_perfmon {
        privileges::drop_perfmon()?;
    }
    keep_messages(PrintLevel::Warn);
    let mut aya = None;
    for path in &cli.objects {
        let name = path.display().to_string();
        let object = match ObjectFile::read_file(path) {
            Ok(object) => object,
            Err(error) => {
                print(
                    &name,
                    "",
                    "",
                    None,
                    LoadResult::Failed {
                        why: format!("{error:#}"),
                    },
                )?;
                continue;
            }
        };
        let library = cli.with.library(&object);
        let mut tell = |program: &str, section: &str, result| {
            print(&name, program, section, Some(library), result)
        };
        match library {
            // Starting aya means parsing the kernel's BTF: once is enough.
            EbpfLibrary::Aya => aya
                .get_or_insert_with(aya::AyaLoader::with_kernel_types)
                .load_programs(&object, &mut tell)?,
            EbpfLibrary::Libbpf => libbpf::load_programs(&object, &mut tell)?,
        }
        print_line(&LoaderLine::End { object: name })?;
    }
    Ok(())
}

fn print(
    object: &str,
    program: &str,
    section: &str,
    library: Option<EbpfLibrary>,
    result: LoadResult,
) -> Result<()> {
    let (object, program, section) = (object.to_owned(), program.to_owned(), section.to_owned());
    print_line(&LoaderLine::Load(Load {
        object,
        program,
        section,
        library,
        result,
        attach: None,
        notes: Vec::new(),
    }))
}

fn print_line(line: &LoaderLine) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    io::stdout().flush().context("cannot print")
}
