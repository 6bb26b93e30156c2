//! The grammar of the command line: the options of each command as they are typed, and how they
//! become the typed values that the command takes. Nothing else imports it.

mod architecture;
mod bench;
mod book;
mod check;
mod class;
mod explain;
mod gallery;
mod hint;
mod implementation;
#[cfg(test)]
mod json_fields;
mod list;
mod new;
mod run;
mod setup;
mod shell;
mod solution;
mod test;
mod try_binary;
mod verify;
mod watch;
mod where_name;

use anyhow::Result;
use clap::{Parser, Subcommand};
use problem::Exit;

use crate::cli::bench::BenchArguments;
use crate::cli::book::BookArguments;
use crate::cli::check::CheckArguments;
use crate::cli::class::ClassArguments;
use crate::cli::explain::ExplainArguments;
use crate::cli::gallery::GalleryArguments;
use crate::cli::hint::HintArguments;
use crate::cli::list::ListArguments;
use crate::cli::new::NewArguments;
use crate::cli::run::RunArguments;
use crate::cli::setup::{DoctorArguments, SetupArguments};
use crate::cli::shell::ShellArguments;
use crate::cli::solution::{ResetArguments, SolutionArguments};
use crate::cli::test::TestArguments;
use crate::cli::try_binary::TryArguments;
use crate::cli::verify::VerifyArguments;
use crate::cli::watch::WatchArguments;
use crate::cli::where_name::WhereArguments;
use crate::commands;

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
    #[command(after_help = list::LIST_HELP)]
    List(ListArguments),
    /// Builds what is missing, runs a lesson with its demo, shows its output
    #[command(after_help = run::RUN_EXAMPLES)]
    Run(RunArguments),
    /// Opens a prompt inside the VM, with the lessons, bpftool and busybox at hand
    #[command(after_help = shell::SHELL_HELP)]
    Shell(ShellArguments),
    /// Builds your answer to an exercise, loads it, causes events, and judges what it did
    #[command(after_help = check::CHECK_HELP)]
    Check(CheckArguments),
    /// Checks your answer whenever you save it
    #[command(after_help = watch::WATCH_HELP)]
    Watch(WatchArguments),
    /// Gives a hint for an exercise: one more each time, three in all
    Hint(HintArguments),
    /// Shows the course's answer to an exercise; asks first while it is not done
    Solution(SolutionArguments),
    /// Puts an exercise back to its starter; a copy of your answer is kept
    Reset(ResetArguments),
    /// Shows a class: who is done with what, and which check stops most people
    #[command(after_help = class::CLASS_HELP)]
    Class(ClassArguments),
    /// Creates a project of your own, or, for contributors, the files of a new exercise
    #[command(subcommand)]
    New(NewArguments),
    /// Runs any program as root in a fresh VM of each kernel; also as cargo's runner
    #[command(after_help = try_binary::TRY_HELP)]
    Try(TryArguments),
    /// Shows errors of the verifier: a program that it rejects, and a fixed twin that it accepts
    Gallery(GalleryArguments),
    /// Says whether the programs of any eBPF object file work on each kernel, and why not
    #[command(after_help = verify::VERIFY_EXAMPLES)]
    Verify(VerifyArguments),
    /// Says on which kernels a function, tracepoint, field, helper or hook is, and what it is like
    #[command(after_help = where_name::WHERE_HELP)]
    Where(WhereArguments),
    /// Reads a verifier log from anywhere: names the error, its cause, and the fix
    #[command(after_help = explain::explain_help())]
    Explain(ExplainArguments),
    /// Shows what this machine has and what is missing, with the fix for each
    #[command(after_help = setup::DOCTOR_HELP)]
    Doctor(DoctorArguments),
    /// Installs all that the course needs; `run` and `test` do it by themselves
    Setup(SetupArguments),
    /// Measures what the lessons' programs cost, in Rust and in C side by side
    #[command(after_help = bench::BENCH_HELP)]
    Bench(BenchArguments),
    /// Builds the book, serves it, checks it
    Book(BookArguments),
    /// Runs everything that CI runs, or the steps that are named
    #[command(after_help = test::TEST_HELP)]
    Test(TestArguments),
}

/// Reads the command line and runs the command.
pub fn run_command() -> Result<Exit> {
    let Some(command) = Arguments::parse().command else {
        return commands::list::welcome_learner();
    };
    match command {
        Command::List(arguments) => commands::list::list_course(&arguments.into()),
        Command::Run(arguments) => commands::run::run_lesson(&arguments.try_into()?),
        Command::Shell(arguments) => commands::shell::open_shell(&arguments.try_into()?),
        Command::Check(arguments) => commands::check::check_answers(&arguments.try_into()?),
        Command::Watch(arguments) => commands::watch::watch_answer(&arguments.try_into()?),
        Command::Hint(arguments) => commands::hint::give_hint(&arguments.into()),
        Command::Solution(arguments) => commands::solution::show_solution(&arguments.into()),
        Command::Reset(arguments) => commands::reset::reset_answers(&arguments.into()),
        Command::Class(arguments) => commands::class::show_class(&arguments.into()),
        Command::New(NewArguments::Project(arguments)) => {
            commands::new::project::make_project(&arguments.into())
        }
        Command::New(NewArguments::Exercise { name }) => {
            commands::new::exercise::make_exercise(&name)
        }
        Command::Try(arguments) => commands::try_binary::try_binary(&arguments.try_into()?),
        Command::Gallery(arguments) => commands::gallery::show_gallery(&arguments.try_into()?),
        Command::Verify(arguments) => commands::verify::verify_objects(&arguments.try_into()?),
        Command::Where(arguments) => commands::where_name::answer_where(&arguments.try_into()?),
        Command::Explain(arguments) => commands::explain::explain_rejection(&arguments.into()),
        Command::Doctor(arguments) => commands::doctor::examine_machine(arguments.json),
        Command::Setup(arguments) => commands::setup::set_up_machine(arguments.try_into()?),
        Command::Bench(arguments) => commands::bench::measure_lessons(&arguments.try_into()?),
        Command::Book(arguments) => {
            commands::book::start_book(&arguments.arguments).map(|never| match never {})
        }
        Command::Test(arguments) => commands::test::run_tests(&arguments.into()),
    }
}

/// Whether the grammar has these arguments.
pub fn check_arguments<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<(), clap::Error> {
    match Arguments::try_parse_from(["cargo xtask"].into_iter().chain(arguments)) {
        Err(error) if error.use_stderr() => Err(error),
        _ => Ok(()),
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it ran, and the answer is no: a lesson or a test failed
  2  the command line is wrong
  3  this machine is not ready; the message says what is missing

Environment:
  XTASK_CACHE   directory for kernels and tools instead of .cache, to share it between checkouts
  XTASK_ACCEL   kvm or tcg: how VMs run; without it, the tool finds out what works
  XTASK_QEMU    the QEMU program to use
  XTASK_SNAPSHOTS
                off: always boot VMs, never resume them from a snapshot
  XTASK_SANDBOX off: QEMU runs without its seccomp sandbox
  XTASK_TRUST   others: go on even if other users could change what is started;
                so it is where CI is set
  XTASK_MIRROR  base address of a Debian mirror for kernels, instead of the one that apt uses;
                XTASK_SECURITY_MIRROR likewise for security updates
  XTASK_KERNELS the kernels of `try` without --kernel, as when it is cargo's runner
  XTASK_PROGRESS
                directory for the record of exercises instead of the checkout
  NO_COLOR      no colours";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Arguments, check_arguments};

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_plan_that_would_move_the_lock_is_refused() {
        let check = |line: &str| check_arguments(line.split_whitespace());
        check("setup --dry-run").unwrap();
        check("setup --update-kernels").unwrap();
        let error = check("setup --dry-run --update-kernels").unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
