//! The grammar of the command line, and nothing else. Each command lives in a module of its own.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::book::Book;
use crate::catalog::Implementation;
use crate::check::Check;
use crate::gallery::Gallery;
use crate::hint::Hint;
use crate::problem::Exit;
use crate::scaffold::New;
use crate::setup::SetupOptions;
use crate::solution::{Reset, Solution};
use crate::verify::Verify;
use crate::watch::Watch;
use crate::{
    bench, book, check, doctor, explain, gallery, hint, list, run, scaffold, setup, shell,
    solution, test, verify, watch,
};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Runs the lessons on real Linux kernels, and sets this machine up for it",
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the lessons and their exercises
    List(List),
    /// Builds what is missing, runs a lesson with its demo, shows its output
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Opens a prompt inside the VM, with the lessons, bpftool and busybox at hand
    #[command(after_help = SHELL_HELP)]
    Shell {
        /// The kernel to boot: 5.10, 6.1, 6.12, 6.18, 7.3, or a file
        #[arg(long, value_name = "KERNEL", default_value = crate::kernel::DEFAULT)]
        kernel: String,
        /// The library that the lessons' programs use unless told otherwise
        #[arg(long = "impl", value_name = "IMPL", default_value = "aya")]
        implementation: One,
    },
    /// Builds your answer to an exercise, loads it, drives it, judges it
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Checks your answer whenever you save it
    #[command(after_help = WATCH_HELP)]
    Watch(Watch),
    /// Gives a hint for an exercise: one more each time, three in all
    Hint(Hint),
    /// Shows the course's answer to an exercise; asks first while it is not done
    Solution(Solution),
    /// Puts an exercise back to its starter; a copy of your answer is kept
    Reset(Reset),
    /// Makes the files of a new exercise, for those who write the course
    #[command(subcommand)]
    New(New),
    /// Shows errors of the verifier: a program that it rejects, and a fixed twin that it accepts
    Gallery(Gallery),
    /// Loads any eBPF object file on every kernel: accepted or rejected, and why
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Reads a verifier log from anywhere: names the error, its cause, and the fix
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Says what this machine has and lacks, with the fix for each
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Installs all that the course needs; `run` and `test` do it by themselves
    Setup(SetupOptions),
    /// Measures what the lessons' programs cost, in Rust and in C side by side
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Builds the book, serves it, checks it
    Book(Book),
    /// Runs everything that CI runs, or the steps that are named
    Test {
        /// Steps to run, in this order; without any, all of them
        #[arg(value_name = "STEP")]
        steps: Vec<test::Step>,
    },
}

#[derive(Debug, Parser)]
pub struct List {
    /// Only the exercises that are not done
    #[arg(long, conflicts_with_all = ["done", "json"])]
    pub pending: bool,
    /// Only the exercises that are done
    #[arg(long, conflicts_with = "json")]
    pub done: bool,
    /// Print JSON, one object a lesson
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Parser)]
pub struct Run {
    /// A lesson: 1, 01, hello-kprobe or 01-hello-kprobe
    pub lesson: String,
    /// aya, libbpf or both
    #[arg(long = "impl", value_name = "IMPL", default_value = "aya")]
    pub implementation: Which,
    /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or the path of a bzImage or vmlinux
    #[arg(long, value_name = "KERNEL", default_value = crate::kernel::DEFAULT)]
    pub kernel: String,
    /// Run on this machine's own kernel instead of in a VM; needs root
    #[arg(long, conflicts_with = "kernel")]
    pub host: bool,
    /// Keep the lesson running after its demo; on a terminal, with a prompt in its VM, so that you
    /// can cause what it shows
    #[arg(long, conflicts_with = "args")]
    pub follow: bool,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Say what did not work on the way, for example why a VM was booted and not resumed
    #[arg(long, short)]
    pub verbose: bool,
    /// Arguments for the lesson's program, in place of its demo's
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

#[derive(Debug, Parser)]
pub struct Explain {
    /// A file with the log, in whatever text it was copied with; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["code", "last", "object"])]
    pub file: Option<PathBuf>,
    /// The object file that the log is about: it tells which lines can panic. Without a log, lists
    /// only those lines
    #[arg(long, value_name = "OBJECT", conflicts_with_all = ["code", "last"])]
    pub object: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Explain a class of errors without a log; `all` lists the classes
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub code: Option<String>,
    /// Explain the answer to an exercise that the verifier rejected at the last check
    #[arg(long, conflicts_with_all = ["file", "code"])]
    pub last: bool,
}

#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Other measurements"
)]
pub struct Bench {
    #[command(subcommand)]
    pub part: Option<Part>,
    /// A lesson; without one, all
    pub lesson: Option<String>,
    /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or a file
    #[arg(long, value_name = "KERNEL", default_value = crate::kernel::DEFAULT)]
    pub kernel: String,
    /// How often each implementation runs, in turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// Print JSON, a line a program
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Part {
    /// What `run` costs beyond the boot of its kernel
    Run {
        /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or a file
        #[arg(long, value_name = "KERNEL", default_value = crate::kernel::DEFAULT)]
        kernel: String,
        /// Print JSON, a line a kernel
        #[arg(long)]
        json: bool,
    },
}

/// The implementations to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Which {
    Aya,
    Libbpf,
    Both,
}

impl Which {
    pub fn implementations(self) -> Vec<Implementation> {
        match self {
            Which::Aya => vec![Implementation::Aya],
            Which::Libbpf => vec![Implementation::Libbpf],
            Which::Both => Implementation::ALL.to_vec(),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum One {
    Aya,
    Libbpf,
}

impl From<One> for Implementation {
    fn from(one: One) -> Self {
        match one {
            One::Aya => Implementation::Aya,
            One::Libbpf => Implementation::Libbpf,
        }
    }
}

pub fn run() -> Result<Exit> {
    match Arguments::parse().command {
        None => list::welcome(),
        Some(Command::List(options)) => list::run(&options),
        Some(Command::Run(options)) => run::run(&options),
        Some(Command::Shell {
            kernel,
            implementation,
        }) => shell::run(&kernel, implementation.into()),
        Some(Command::Check(options)) => check::run(&options),
        Some(Command::Watch(options)) => watch::run(&options),
        Some(Command::Hint(options)) => hint::run(&options),
        Some(Command::Solution(options)) => solution::run(&options),
        Some(Command::Reset(options)) => solution::reset(&options),
        Some(Command::New(what)) => scaffold::run(&what),
        Some(Command::Gallery(options)) => gallery::run(&options),
        Some(Command::Verify(options)) => verify::run(&options),
        Some(Command::Explain(options)) => explain::run(&options),
        Some(Command::Doctor { json }) => doctor::run(json),
        Some(Command::Setup(options)) => setup::run(&options).map(|()| Exit::Done),
        Some(Command::Bench(options)) => bench::run(&options),
        Some(Command::Book(options)) => book::run(&options).map(|never| match never {}),
        Some(Command::Test { steps }) => test::run(&steps),
    }
}

/// Whether the grammar has these arguments.
pub fn understands<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<(), clap::Error> {
    match Arguments::try_parse_from(["cargo xtask"].into_iter().chain(arguments)) {
        Err(error) if error.use_stderr() => Err(error),
        _ => Ok(()),
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it ran, and the answer is no: a lesson or a test failed
  2  the command line makes no sense
  3  this machine is not ready; the message says what it lacks

Environment:
  XTASK_CACHE   folder for kernels and tools instead of .cache, to share it between checkouts
  XTASK_ACCEL   kvm or tcg: how VMs run, instead of finding out
  XTASK_QEMU    the QEMU program to use
  XTASK_SNAPSHOTS
                off: always boot VMs, never resume them from a snapshot
  XTASK_MIRROR  base address of a Debian mirror for kernels, instead of the one that apt uses;
                XTASK_SECURITY_MIRROR likewise for security updates
  XTASK_PROGRESS
                folder for the record of exercises instead of the checkout
  NO_COLOR      no colours";

const RUN_EXAMPLES: &str = "\
Examples:
  cargo xtask run 01                            on the default kernel, with aya
  cargo xtask run 01 --impl both --kernel all   both implementations on all five kernels
  cargo xtask run 01 --kernel /boot/vmlinuz-X   on a kernel of your own
  cargo xtask run 01 -- --help                  what the lesson's program can do";

const CHECK_HELP: &str = "\
The judge is outside of what you edit: in a VM it loads your program (with aya if it is in Rust, with libbpf if it is in
C), gives it something to see, and looks at its maps. What it does differs on each run.
Exit code 0: the answer is right. 1: not yet. For a class: cargo xtask check --all --json prints the score.
JSON: an object with \"version\" (1), \"passed\" and \"of\" (answers), and \"exercises\", each with \"exercise\", \"implementation\",
\"kernel\" (null if it needs none), \"passed\", \"warnings\" (the compiler's) and \"checks\"; a check has \"check\" (its name),
\"verdict\" (passed, failed, rejected, not run), \"why\", \"log\" (the verifier's, if it rejected), \"note\" (what the judge
adds to that, or null), \"site\" and \"forbidden_calls\" (the line that the verifier refused, and lines that can panic, as
in `cargo xtask explain --help`) and \"seconds\". Fields may be added.";

const WATCH_HELP: &str = "\
Keys: h a hint, r check again, n the next exercise, x back to the starter (a copy is kept), l list, q quit, ? all keys.
Nothing advances by itself. Without a terminal there are no keys: it watches until it is ended.";

const VERIFY_EXAMPLES: &str = "\
Programs are loaded, one at a time, and never attached. What a program attaches to is taken from its section's name.
aya loads what rustc made, and map definitions of the old form (a section `maps`); libbpf loads everything else. The
output says which it was, because the two differ: without a licence aya tells the kernel GPL, and libbpf nothing.
Exit code 0: every program was accepted on every kernel. 1: not all were.
Examples:
  cargo xtask verify program.bpf.o                 on all five kernels
  cargo xtask verify *.o --kernel 5.10 --log       with the verifier's log
  cargo xtask verify program.bpf.o --json          a line for each program on each kernel
JSON: one object a line, with \"object\", \"program\" and \"section\" (both empty if it is about the whole object), \"loader\"
(libbpf, aya, or null if neither was reached), \"kernel\" (5.10), \"release\" (5.10.223-...) and \"verdict\", which is one of
  accepted  \"instructions\", \"machine_code_bytes\", \"processed\" (instructions that the verifier followed, with all paths);
            null where the kernel does not tell
  rejected  \"error\" (the kernel's error number, as text), \"reason\" (the decisive line), \"class\" (for cargo xtask explain
            --code; null if unknown), \"log\", \"site\" and \"forbidden_calls\" (as in cargo xtask explain --help)
  failed    \"error\": it did not come as far as the verifier, or took too long; \"forbidden_calls\"
Fields may be added; none goes or changes its meaning.";

const BENCH_HELP: &str = "\
Each implementation runs its demo in a VM, in turn. Programs of the same name stand side by side; what a library loads
only to try the kernel is left out: programs without BTF, and libbpf's det_arg_ctx. The figures:
  instructions  of the bytecode, after verification
  machine code  what the JIT compiler makes of it
  verified      instructions that the verifier followed, on all paths together (Linux 5.16 and later)
  executed      machine instructions of a run, with all that the program calls: an emulated CPU has no time that
                would mean something, but it can count; the way into and out of the program counts too
Lessons that can measure themselves do so on this machine's own kernel, if it lets you.

Examples:
  cargo xtask bench                   all lessons on the default kernel
  cargo xtask bench 01 --kernel all   one lesson on all kernels
  cargo xtask bench run               what `cargo xtask run` costs beyond the boot of its kernel";

const SHELL_HELP: &str = "\
`exit` or Ctrl-D ends the VM; Ctrl-] ends it at once.
Without a terminal, the commands come from standard input:
  echo 'bpftool feature' | cargo xtask shell";

const EXPLAIN_HELP: &str = "\
Examples:
  cargo xtask explain load.log                what a loader printed, saved to a file
  my-loader 2>&1 | cargo xtask explain -      straight from the loader
  cargo xtask explain --code scalar-deref     a class of errors, without a log
  cargo xtask explain --last                  your answer, if the last check ended with a rejection
  cargo xtask explain load.log --object a.o   with what the object file tells: lines that can panic, lines of callers
  cargo xtask explain --object a.o            only the lines of an object file that no kernel accepts

The log may come from libbpf, aya, cilium/ebpf, bcc, bpftrace or bpftool, be quoted in mail or JSON, have time stamps
and colours, be cut, or be one of several. The program that was rejected comes first.

Exit codes:
  0  explained
  1  a log without a rejection, a rejection with an unknown message, or no log at all; an object without such a line
  2  the file is not there, no class has this name, or the last check rejected nothing

JSON (fields may be added, none is removed or changes its meaning while `version` is 1; --object without a log prints
`version` and `forbidden_calls` only):
  version    1
  verdict    explained, unknown, no-rejection or no-log: that of the first program
  answer     with --last: exercise, implementation, kernel, checked (when, UTC), log (its file); else null
  programs   the rejected ones first; each with
    verdict    as above
    name       the program's, or null
    class      slug, title, rule, fix_c, fix_rust; null if not explained
    messages   the decisive line first: line (its number in the input) and text
    insn       the refused instruction: pc, opcode, text; or null
    source     text, file and line of its source; or null
    register   the number of the register that the message names, or null
    finding    known: sentences about what the verifier knew; missing: what was missing, or null
    diagnosis  of Linux 7.3: category, problem, reason, suggestion; or null
    processed  instructions that the verifier went through, or null
    errno      the system call's error number, or null
    truncated  true if a part of the log is missing
    gallery    the entry of the gallery, or null
    site       with an object: file, line and column that the refused instruction comes from, through functions of
               libraries; or null
  forbidden_calls
             with an object: calls that no kernel accepts, each with
    kind       index, slice-range, copy-length, unwrap, expect, division, overflow, borrow, assertion, argument, panic,
               pointer, missing-memory-function, missing-function, trap
    panic      true for a panic of Rust
    program    the program that leads to it
    callee     the function that is called, or null for a call through a pointer
    site       file, line and column of the line that was written by hand, or null
    reason     why, in a sentence
    instead    what to write in place of it";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }
}
