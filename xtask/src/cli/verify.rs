//! `verify`

use std::path::PathBuf;

use clap::Parser;
use problem::Problem;

use crate::commands::verify::VerifyOptions;
use crate::pipeline::selection::{KERNEL_HELP, Selection};

pub const VERIFY_EXAMPLES: &str = "\
Programs are loaded, one at a time, and never attached. The name of its section says what a program
is for. aya loads what rustc built, and map definitions of the old form (a section `maps`); libbpf
loads everything else. The output says which library it was, because they differ: if there is no
licence, aya passes `GPL` to the kernel, and libbpf nothing.
Exit code 0: every program was accepted on every kernel. 1: not all were.
Examples:
  cargo xtask verify program.bpf.o                 on all five kernels
  cargo xtask verify *.o --kernel 5.10 --log       with the verifier's log
  cargo xtask verify program.bpf.o --json          a line for each program on each kernel

JSON: one object per line (fields may be added; none is removed or changes its meaning)
  object             the file
  program            its name; empty if it is about the whole object
  section            empty if it is about the whole object
  loader             libbpf, aya, or null if neither was reached
  kernel             5.10
  release            5.10.223-...
  verdict            accepted, rejected, or failed: it did not get as far as the verifier, or took
                     too long
  instructions       if accepted, after verification; null where the kernel does not say
  machine_code_bytes
                     if accepted; null where the kernel does not say
  processed          if accepted: instructions that the verifier followed, with all paths; null
                     where the kernel does not say
  error              if rejected, the kernel's error number as text; if failed, why
  reason             if rejected: the decisive line
  class              if rejected: for cargo xtask explain --code; null if unknown
  log                if rejected
  site               if rejected: the refused line, as in cargo xtask explain --help
  forbidden_calls    if rejected or failed: as in cargo xtask explain --help";

#[derive(Debug, Parser)]
pub struct VerifyArguments {
    /// Object files: from clang, bpf-linker, bpf2go, or whatever else writes eBPF
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<PathBuf>,
    #[arg(long, value_name = "KERNEL", default_value = "all", help = KERNEL_HELP)]
    kernel: String,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Seconds that one object may take on one kernel; a program that the verifier follows to its
    /// limit of a million instructions takes half a minute without KVM
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Show the verifier's whole log of what was rejected
    #[arg(long)]
    log: bool,
    /// Print JSON, a line for each program on each kernel
    #[arg(long, conflicts_with = "log")]
    json: bool,
}

impl TryFrom<VerifyArguments> for VerifyOptions {
    type Error = Problem;

    fn try_from(arguments: VerifyArguments) -> Result<Self, Problem> {
        Ok(Self {
            objects: arguments.objects,
            kernels: Selection::parse(&arguments.kernel)?,
            jobs: arguments.jobs,
            seconds: arguments.seconds,
            log: arguments.log,
            json: arguments.json,
        })
    }
}
