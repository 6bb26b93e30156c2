//! `where`

use clap::Parser;
use problem::Problem;

use crate::cli::architecture::WhichArchitecture;
use crate::commands::where_name::{Question, WhereOptions};
use crate::pipeline::selection::Selection;

pub const WHERE_HELP: &str = "\
It knows functions of the kernel, tracepoints, structs and their fields, hooks of LSMs, helpers,
kfuncs, and the types of programs, maps and attachments, on every series that Debian has. The answer
comes from what was captured from these kernels; no VM is started.
Exit code 0: at least one of the kernels has it. 1: none has.
Examples:
  cargo xtask where do_unlinkat                    a function
  cargo xtask where sched:sched_switch             a tracepoint; its name alone does as well
  cargo xtask where task_struct.__state            a field
  cargo xtask where bpf_strncmp --kernel 5.10,6.1  a helper, on two kernels
  cargo xtask where BPF_PROG_TYPE_NETFILTER        the type of a program
  cargo xtask where 182                            the helper of `invalid func unknown#182`
  cargo xtask where ksyscall/openat --arch both    a system call, on both architectures

JSON: one object (fields may be added; none is removed or changes its meaning)
  name           as it was asked for
  found          each with
    architecture  amd64 or arm64: whose kernels these are
    kind         function, struct, field, tracepoint, raw-tracepoint, hook, helper, kfunc,
                 program-type, map-type, or attach-type
    name         its full name
    ranges       series in a row on which it is the same, oldest first, each with
      first      the oldest series of the range
      last       the newest
      there      false: it is not there on these
      signatures  of functions, hooks, kfuncs and raw tracepoints; several if several functions
                 of one name differ; none if BTF does not tell
      count      how many functions have this name
      copies     the names of copies that the compiler changed
      attach     how a program can be attached: kprobe, fentry, tracepoint, raw_tracepoint, tp_btf,
                 lsm
      number     of helpers and types, in the bpf system call
      size       of structs, in bytes
      fields     of structs, tracepoints, and the field itself: offset, a space, the declaration
    successor    what to use where it is gone; null if that is not known. With
      kind       as above
      name       the new name
      since      the release of Linux from which on the old name is gone
      why        what happened
  similar        names that are like it, if it was not found";

#[derive(Debug, Parser)]
pub struct WhereArguments {
    /// A name: do_unlinkat, sched:sched_switch, task_struct.__state, bpf_strncmp, file_open
    #[arg(value_name = "NAME", required_unless_present = "update")]
    name: Option<String>,
    /// Only on these: a series such as 6.12, several (6.1,7.0 or 6.12..7.1), all: the course's
    /// five, every: all eleven
    #[arg(long, value_name = "KERNEL", default_value = "every")]
    kernel: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// amd64, arm64 or both: whose kernels; without it, those of what this machine is
    #[arg(long = "arch", value_name = "ARCH", hide_possible_values = true)]
    architecture: Option<WhichArchitecture>,
    /// Capture the names again from every kernel, and write xtask/kernel-names/data: of both
    /// architectures, unless --arch says one
    #[arg(long, conflicts_with_all = ["name", "json"])]
    update: bool,
}

impl TryFrom<WhereArguments> for WhereOptions {
    type Error = Problem;

    fn try_from(arguments: WhereArguments) -> Result<Self, Problem> {
        let architecture = arguments.architecture;
        match arguments.name {
            Some(name) => Ok(Self::Ask {
                question: Question::parse(&name)?,
                architectures: architecture.unwrap_or_default().chosen_architectures(),
                series: parse_series(&arguments.kernel)?,
                json: arguments.json,
            }),
            None => Ok(Self::Update {
                architectures: architecture
                    .unwrap_or(WhichArchitecture::Both)
                    .chosen_architectures(),
            }),
        }
    }
}

fn parse_series(text: &str) -> Result<Vec<&'static str>, Problem> {
    match Selection::parse(text)? {
        Selection::Series(names) => Ok(names),
        Selection::File(path) => Err(Problem::usage(format!(
            "nothing is known of the names of {}",
            path.display()
        ))
        .help("cargo xtask where knows the series that Debian has: --kernel every")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &[&str]) -> Result<WhereOptions, String> {
        let arguments = WhereArguments::try_parse_from(line).map_err(|error| error.to_string())?;
        arguments
            .try_into()
            .map_err(|problem: Problem| problem.to_string())
    }

    #[test]
    fn a_name_is_needed_or_nothing_else() {
        assert!(parse_line(&["where"]).is_err());
        assert!(parse_line(&["where", "vfs_unlink", "--update"]).is_err());
        assert!(matches!(
            parse_line(&["where", "--update"]),
            Ok(WhereOptions::Update { architectures }) if architectures.len() == 2
        ));
        let asked = parse_line(&["where", "vfs_unlink", "--kernel", "6.1..6.16"]);
        let Ok(WhereOptions::Ask { series, .. }) = asked else {
            panic!("it is a question");
        };
        assert_eq!(series, ["6.1", "6.12", "6.16"]);
        let error = parse_line(&["where", "vfs_unlink", "--kernel", "./vmlinuz"]).unwrap_err();
        assert_eq!(error, "nothing is known of the names of ./vmlinuz");
    }
}
