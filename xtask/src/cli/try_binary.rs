//! `try`

use std::env;
use std::path::{Path, PathBuf};

use clap::Parser;
use kernel::{Architecture, DEFAULT};
use problem::Problem;

use crate::commands::try_binary::TryOptions;
use crate::pipeline::memory::{DEFAULT_MIB, parse_memory};
use crate::pipeline::selection::Selection;

pub const TRY_HELP: &str = "\
The options of `try` stand before BINARY; all that follows it is for the program.

The program runs as root in a fresh guest of each kernel. It may write everywhere; nothing stays.
  place        it lies at the same path as here, and starts in the directory of the same path, which
               has nothing in it but what --file brings
  files        the shared libraries that it needs here come along; beside them the guest has /dev,
               /proc, /sys, empty directories /root, /run, /tmp and /var, and no other program
  output       comes back as it is; more than 8 MiB end the program
  input        what is piped in is passed on to each guest, at about 80 KB/s; a terminal is not:
               the program finds its input at its end. --terminal gives it a terminal
  variables    HOME=/root, LANG=C.UTF-8, and a PATH with the usual directories; those of here that
               begin with RUST_, or with CARGO_PKG_, CARGO_MANIFEST_, CARGO_CRATE_NAME or
               CARGO_BIN_EXE_; those of --env
  left behind  what is there when it has ended is named: processes (they are ended then), eBPF
               programs, maps and links, pinned objects, kprobes and uprobes, network interfaces,
               addresses, routes and queueing disciplines, namespaces, mounts, control groups,
               modules, and what was set in /proc/sys

--file PATH[:GUEST PATH] brings a file, or a directory with all that is in it. Without GUEST PATH it
comes to the same path as here. Relative paths begin at the current directory, here as there. With a
slash at the end of GUEST PATH it comes into that directory. Permissions are kept. The libraries of
a program that is named come along. A symbolic link that leads to something in the same directory
tree is kept, any other is followed. Left out are .git and directories that are marked as caches by
CACHEDIR.TAG, as cargo's target is; name them to bring them.

Exit code 0: it exited with 0 on every kernel. 1: it did not. 3: a VM could not be started.
101: it exited with 101 wherever it failed, as a Rust program does with a test that failed.
Examples:
  cargo xtask try --kernel all ~/open-count/target/debug/open-count
  cargo xtask try --file rules.toml --env RULES=rules.toml target/debug/firewall
  cargo xtask try --terminal target/debug/top-like
  cargo xtask try target/aarch64-unknown-linux-gnu/debug/open-count   on arm64: what it is built for

As cargo's runner, in a crate's .cargo/config.toml, it runs `cargo run`, `cargo test` and
`cargo bench` in guests. `--file .` brings the crate's files, which tests may read. The crate's
programs, which tests may start, come along by themselves (from Rust 1.94 on):
  [target.x86_64-unknown-linux-gnu]
  runner = [\"CHECKOUT/target/debug/xtask\", \"try\", \"--file\", \".\"]
The same line below [target.aarch64-unknown-linux-gnu] is for `cargo test --target` with that name.
It takes the kernels from the variable XTASK_KERNELS:
  XTASK_KERNELS=all cargo test

JSON: one object per line, for each kernel (fields may be added; none is removed or changes its
meaning)
  kernel           5.10
  architecture     amd64 or arm64
  release          5.10.223-...
  outcome          exited, killed (by a signal), timed_out, flooded (it printed too much),
                   not_started, crashed (the guest's kernel did), or not_booted
  exit_code        if exited, else null
  signal           if killed, its number, else null
  error            what went wrong, in words; null if it exited with 0 and the kernel warned of
                   nothing
  stdout           what it printed; bytes that are not UTF-8 become U+FFFD
  stderr           likewise
  left_behind      what it left behind, a text each
  kernel_warnings  what the kernel logged meanwhile that no healthy run logs
  ready_seconds    until the guest was ready
  seconds          of the program";

/// Names the kernels where no option can: as cargo's runner.
const KERNELS: &str = "XTASK_KERNELS";

#[derive(Debug, Parser)]
pub struct TryArguments {
    /// A series such as 6.12, several (6.1,7.0 or 6.12..7.1), all: the course's five, every: all
    /// eleven, or the path of a bzImage, vmlinux or arm64 Image; without it, what XTASK_KERNELS
    /// says, or 6.12
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// amd64 or arm64: what BINARY is for; without it, the binary says so
    #[arg(long = "arch", value_name = "ARCH")]
    architecture: Option<Architecture>,
    /// A file or directory of this machine that comes along; may be given several times
    #[arg(long = "file", value_name = "PATH[:GUEST PATH]")]
    files: Vec<String>,
    /// A variable for the program's environment: one of here, or a new one; may be given several
    /// times
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    variables: Vec<String>,
    /// MiB of memory that each guest has; its files may take a third of it
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_MIB, value_parser = parse_memory)]
    memory: u32,
    /// Give the program this terminal, as in `cargo xtask shell`; there is no time limit then, and
    /// Ctrl-] ends the guest
    #[arg(long, conflicts_with = "json")]
    terminal: bool,
    /// Print JSON, a line for each kernel, in place of the program's output
    #[arg(long)]
    json: bool,
    /// Seconds that the program may take on each kernel
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// A program for Linux on amd64 (x86-64) or arm64
    #[arg(value_name = "BINARY")]
    binary: PathBuf,
    /// Arguments for it
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    arguments: Vec<String>,
}

impl TryFrom<TryArguments> for TryOptions {
    type Error = Problem;

    fn try_from(arguments: TryArguments) -> Result<Self, Problem> {
        let kernels = match arguments.kernel {
            Some(kernels) => Selection::parse(&kernels)?,
            None => match env::var(KERNELS) {
                Ok(kernels) if !kernels.is_empty() => Selection::parse(&kernels)
                    .map_err(|problem| problem.help(format!("{KERNELS} names it")))?,
                _ => Selection::one(DEFAULT),
            },
        };
        Ok(Self {
            // `try program`, as `try ./program`: nothing is looked for on PATH.
            binary: match arguments.binary.parent() {
                Some(parent) if parent.as_os_str().is_empty() => {
                    Path::new(".").join(&arguments.binary)
                }
                _ => arguments.binary,
            },
            arguments: arguments.arguments,
            kernels,
            architecture: arguments.architecture,
            files: arguments.files,
            variables: arguments.variables,
            seconds: arguments.seconds,
            memory_mib: arguments.memory,
            jobs: arguments.jobs,
            terminal: arguments.terminal,
            json: arguments.json,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_program_is_for_it() {
        let line = [
            "try",
            "--kernel",
            "5.10",
            "/bin/prog",
            "--seconds-of",
            "-x",
            "5",
        ];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.kernel.as_deref(), Some("5.10"));
        assert_eq!(arguments.arguments, ["--seconds-of", "-x", "5"]);
        let line = ["try", "/bin/prog", "--kernel", "all", "-x", "--kernel", "5"];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.kernel.as_deref(), Some("all"));
        assert_eq!(arguments.arguments, ["-x", "--kernel", "5"]);
        let line = ["try", "/bin/prog", "--", "--kernel", "5"];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.arguments, ["--kernel", "5"]);
    }
}
