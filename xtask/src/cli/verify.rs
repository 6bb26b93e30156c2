//! `verify`

use std::path::PathBuf;

use clap::Parser;
use problem::Problem;

use super::explain::parse_budget;
use crate::cli::architecture::WhichArchitecture;
use crate::commands::verify::{
    AttachTarget, CostQuestion, ReportFile, ReportForm, VerifyMode, VerifyOptions,
};
use crate::pipeline::memory::{DEFAULT_MIB, parse_memory};
use crate::pipeline::selection::{KERNEL_HELP, Selection};

pub const VERIFY_EXAMPLES: &str = "\
Each program is loaded, then attached as the name of its section says, and detached, in a VM that is
thrown away. The answer is one of these:
  works      it was loaded and attached
  loads      it was loaded; it cannot be attached here, or it needs a target to attach
  no hook    it cannot be attached here, and so not even be loaded: the kernel checks fentry, fexit,
             fmod_ret, tp_btf and lsm programs against what they attach to
  rejected   the verifier said no
  failed     it did not get as far as the verifier
aya loads what rustc built, and map definitions of the old form (a section `maps`); libbpf loads
everything else. The output says which library it was, because they differ: if there is no licence,
aya passes `GPL` to the kernel, and libbpf nothing. What was changed so that an object could be
loaded is said in a note.
Exit code 0: every program works on every kernel; with --load-only, it was accepted. 1: not all do,
or of some it is not known, because they need a target, or one is over the --budget. 3: a VM could
not be started.
Examples:
  cargo xtask verify program.bpf.o                 on the course's five kernels
  cargo xtask verify program.bpf.o --bisect        where does it stop working?
  cargo xtask verify program.bpf.o --claim 5.10..  does it work on all of these?
  cargo xtask verify program.bpf.o --arch both     and on those kernels for arm64?
  cargo xtask verify *.o --kernel 5.10 --log       with the verifier's log
  cargo xtask verify *.o --junit verify.xml        with a report for a pipeline
  cargo xtask verify *.o --cost --budget 100000    fails if verification takes more instructions
  cargo xtask verify uprobe.o --target probe=/bin/sh:main

JSON: one object per line (fields may be added; none is removed or changes its meaning)
  object             the file
  program            its name; empty if it is about the whole object
  section            empty if it is about the whole object
  loader             libbpf, aya, or null if neither was reached
  kernel             5.10
  architecture       amd64 or arm64
  release            5.10.223-...
  answer             works, accepted (with --load-only), not-known, cannot-attach, rejected, failed
  verdict            accepted, rejected, or failed: it did not get as far as the verifier, or took
                     too long
  instructions       if accepted, after verification; null where the kernel does not say
  machine_code_bytes
                     if accepted; null where the kernel does not say
  processed          if accepted: instructions that the verifier followed, with all paths; null
                     where the kernel does not say
  attach             null if it was not loaded, or with --load-only
    result           attached, runs-on-demand: nothing attaches it, refused, needs-target, or
                     not-tried
    error            if it was not attached, why
    missing          what the kernel lacks, if that is why
      kind           function, traceable_function, tracepoint, raw_tracepoint, lsm_hook,
                     program_type, attach_type, program_flag, map_type, struct_ops, module, or
                     trampoline: the code that calls fentry, fexit, fmod_ret and lsm programs
      name           such as do_unlinkat
      there_on       the series of Debian's kernels that have it, such as 5.10 to 6.19
      instead        what to use instead, if that is known
      similar        names that this kernel has, if no kernel has this one
  notes              what was changed so that it could be loaded
  cost               with --cost: what one of `programs` has, as in cargo xtask explain --help
  missing            if failed: what the kernel lacks, if that is why
    kind             as in attach
    name             such as BPF_PROG_TYPE_NETFILTER
    there_on         as in attach
    instead          as in attach
    similar          as in attach
  error              if rejected, the kernel's error number as text; if failed, why
  reason             if rejected: the decisive line
  class              if rejected: for cargo xtask explain --code; null if unknown
  log                if rejected
  site               if rejected: the refused line, as in cargo xtask explain --help
  forbidden_calls    if rejected or failed: as in cargo xtask explain --help
With --bisect, one object for each range of kernels with one answer: object, program, section,
architecture and answer as above, the reason of what does not work, and
  from               the oldest kernel of the range
  to                 the newest
  asked              those on which it was tried";

#[derive(Debug, Parser)]
pub struct VerifyArguments {
    /// Object files: from clang, bpf-linker, bpf2go, or whatever else writes eBPF
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<PathBuf>,
    #[arg(long, value_name = "KERNEL", help = KERNEL_HELP)]
    #[arg(default_value = "all", default_value_if("bisect", "true", "every"))]
    kernel: String,
    /// amd64, arm64 or both: what the kernels are for; without it, what this machine is
    #[arg(long = "arch", value_name = "ARCH", default_value_t = WhichArchitecture::default())]
    #[arg(hide_possible_values = true)]
    architecture: WhichArchitecture,
    /// Find the series at which the answer changes, asking as few kernels as possible
    #[arg(long, conflicts_with_all = ["claim", "log"])]
    bisect: bool,
    /// With --bisect: ask every kernel, so that no change and change back is missed
    #[arg(long, requires = "bisect")]
    thorough: bool,
    /// Exit with 0 only if all programs work on each of these kernels, such as 5.10..
    #[arg(long, value_name = "KERNELS", conflicts_with = "kernel")]
    claim: Option<String>,
    /// Also tell what verification of each program cost, line by line, from a second load with a
    /// log of level 2
    #[arg(long, conflicts_with_all = ["bisect"])]
    cost: bool,
    /// With --cost: exit with 1 if a program takes more instructions on one of the kernels
    #[arg(long, value_name = "INSTRUCTIONS", requires = "cost")]
    #[arg(allow_negative_numbers = true, value_parser = parse_budget)]
    budget: Option<u64>,
    /// With --cost: what changed since; the file has what --cost --json printed
    #[arg(long, value_name = "OLD", requires = "cost", conflicts_with = "json")]
    compare: Option<PathBuf>,
    /// Load only, attach nothing
    #[arg(long)]
    load_only: bool,
    /// Where to attach a program whose section does not say: a function, CATEGORY/EVENT,
    /// BINARY:FUNCTION, or for freplace OBJECT:PROGRAM
    #[arg(long = "target", value_name = "NAME=TARGET")]
    targets: Vec<AttachTarget>,
    /// How many entries a map gets, if the program that loads the object sets that
    #[arg(long = "map", value_name = "NAME=ENTRIES", value_parser = parse_entries)]
    maps: Vec<(String, u32)>,
    /// A module of the kernel's that is loaded first; those that sections name are loaded anyway
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// Memory of each VM in MiB, for objects with large maps
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MIB, value_parser = parse_memory)]
    memory: u32,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Seconds that one program may take on one kernel; one that the verifier follows to its limit
    /// of a million instructions takes half a minute without KVM
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Show the verifier's whole log of what was rejected
    #[arg(long)]
    log: bool,
    /// Print JSON, a line for each program on each kernel
    #[arg(long, conflicts_with = "log")]
    json: bool,
    /// Also write the verdicts to this file, in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Also write them to this file, as a table of Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl TryFrom<VerifyArguments> for VerifyOptions {
    type Error = Problem;

    fn try_from(arguments: VerifyArguments) -> Result<Self, Problem> {
        let kernels = arguments.claim.as_ref().unwrap_or(&arguments.kernel);
        let mode = match (&arguments.claim, arguments.bisect) {
            (Some(_), _) => VerifyMode::Claim,
            (None, true) => VerifyMode::Bisect {
                thorough: arguments.thorough,
            },
            (None, false) => VerifyMode::Each,
        };
        let junit = arguments.junit.map(|path| ReportFile {
            form: ReportForm::Junit,
            path,
        });
        let markdown = arguments.markdown.map(|path| ReportFile {
            form: ReportForm::Markdown,
            path,
        });
        Ok(Self {
            kernels: Selection::parse(kernels)?,
            architectures: arguments.architecture.chosen_architectures(),
            mode,
            objects: arguments.objects,
            jobs: arguments.jobs,
            seconds: arguments.seconds,
            memory_mib: arguments.memory,
            load_only: arguments.load_only,
            cost: arguments.cost.then_some(CostQuestion {
                budget: arguments.budget,
                compare: arguments.compare,
            }),
            targets: arguments.targets,
            map_entries: arguments.maps,
            modules: arguments.modules,
            log: arguments.log,
            json: arguments.json,
            reports: junit.into_iter().chain(markdown).collect(),
        })
    }
}

fn parse_entries(text: &str) -> Result<(String, u32), String> {
    let (name, entries) = text
        .split_once('=')
        .ok_or("it takes the name of a map, =, and a number of entries")?;
    match entries.parse() {
        Ok(0) | Err(_) => Err(format!("'{entries}' is no number of entries")),
        Ok(entries) => Ok((name.to_owned(), entries)),
    }
}
