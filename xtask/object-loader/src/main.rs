//! Loads every program of eBPF object files, one at a time, attaches what the kernel takes, and
//! prints what became of it.
//!
//! ```text
//!   object_file      what can be read from the ELF file itself
//!   origin           which compiler made it
//!   program_section  which type of program a section's name tells
//!   map_definition   sizes of maps that a kernel takes and a guest has room for
//!   options          how to load, as the command line says it
//!   session          what is kept while all objects are loaded
//!   libbpf           loads with libbpf: objects of clang, bpf2go and other compilers
//!   aya              loads with aya: objects of rustc
//!   aya_object       an object as aya would load it, for a load with a log of ours
//!   program_kind     what a kernel must know of a program
//!   attempt          one attempt to load a program
//!   attach           attaches a program that is loaded
//!   kernel_types     the running kernel's BTF
//!   shared_types     parses it once for all objects
//!   missing          what the running kernel lacks
//!   failure          what a user can do about a failure
//!   info             what the kernel tells about a program that it loaded
//!   log              the verifier's log
//!   measured_cost    what verification of one program cost
//!   log_stream       reads one of a gigabyte while the kernel writes it
//!   time_limit       interrupts a load that takes too long
//!   load_report      tells the host
//!   modules          loads kernel modules
//!   privileges       gives rights up, to meet the errors that root never sees
//! ```
//!
//! It runs in a guest of `cargo xtask`, as one step of a plan: an object that crashes it, or never
//! ends, takes only its own step along.

mod attach;
mod attempt;
mod aya;
mod aya_object;
mod failure;
mod info;
mod kernel_types;
mod libbpf;
mod load_report;
mod log;
mod log_stream;
mod map_definition;
mod measured_cost;
mod missing;
mod modules;
mod object_file;
mod options;
mod origin;
mod privileges;
mod program_kind;
mod program_section;
mod session;
mod shared_types;
mod time_limit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use libbpf_rs::PrintLevel;
use plan::load::EbpfLibrary;
use verifier_output::keep_messages;

use load_report::{LoadReport, ProgramVerdict};
use object_file::ObjectFile;
use options::LoadOptions;
use session::Session;

/// Loads and attaches every program of eBPF object files and prints lines of JSON about it
#[derive(Parser)]
struct Cli {
    /// Which library loads them
    #[arg(long, value_enum, default_value_t)]
    with: With,
    /// Give up CAP_PERFMON and CAP_SYS_ADMIN first: the verifier is stricter then
    #[arg(long)]
    without_perfmon: bool,
    #[command(flatten)]
    options: LoadOptions,
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
    match load_objects(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load_objects(cli: Cli) -> Result<()> {
    if let Some(directory) = &cli.options.modules {
        modules::load_modules(directory)?;
    }
    if cli.without_perfmon {
        privileges::drop_perfmon()?;
    }
    keep_messages(PrintLevel::Warn);
    let mut loader = Loader {
        with: cli.with,
        session: Session::start(cli.options)?,
        aya: None,
    };
    cli.objects.iter().try_for_each(|path| loader.load(path))
}

struct Loader {
    with: With,
    session: Session,
    /// Starting aya means parsing the kernel's BTF: once is enough.
    aya: Option<aya::AyaLoader>,
}

impl Loader {
    fn load(&mut self, path: &Path) -> Result<()> {
        let name = path.display().to_string();
        let mut object = match ObjectFile::read_file(path) {
            Ok(object) => object,
            Err(error) => {
                let report = LoadReport::new(&name, None);
                report.tell_whole(ProgramVerdict::failed(format!("{error:#}")))?;
                return report.end();
            }
        };
        let library = self.with.library(&object);
        let has_programs = object.has_programs();
        let report = LoadReport::new(&name, has_programs.then_some(library));
        match library {
            _ if !has_programs => report.list(Vec::new())?,
            EbpfLibrary::Aya => self
                .aya
                .get_or_insert_with(aya::AyaLoader::with_kernel_types)
                .load_programs(&object, &mut self.session, &report)?,
            EbpfLibrary::Libbpf => libbpf::load_programs(&mut object, &mut self.session, &report)?,
        }
        report.end()
    }
}
