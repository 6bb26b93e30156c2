//! `try`: any program of this machine, as root, in a fresh VM of each kernel.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use kernel::Kernel;
use object::read::elf::FileHeader as _;
use object::{Endianness, elf};
use plan::{Outcome, Plan, Step};
use problem::{Exit, Problem};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::{Failure, Happening, Programs, Started, Stream};

use crate::output::ordered_output::{OrderedOutput, Piece};
use crate::output::row::{self, Failed};
use crate::output::screen::{self, Mark, format_seconds};
use crate::pipeline::selection::Selection;
use crate::pipeline::{demo, needs, parallel};

/// What to run, and where.
pub struct TryOptions {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    pub kernels: Selection,
    /// That it may take on each kernel.
    pub seconds: u64,
    /// How many VMs run side by side; `None`: as many as fit.
    pub jobs: Option<usize>,
}

pub fn try_binary(options: &TryOptions) -> Result<Exit> {
    check_binary(options)?;
    let selection = &options.kernels;
    needs::ensure_needs(&[&needs::VM_NEEDS[..], &selection.kernel_needs()].concat())?;
    let kernels = selection.find_kernels()?;
    let trial = Trial {
        programs: demo::pack_programs(&[&options.binary])?,
        plan: make_plan(options),
        seconds: options.seconds,
    };
    let output = OrderedOutput::new(kernels.len());
    let results = parallel::run_on_each(&kernels, options.jobs, |part, kernel| {
        let result = trial.run_on(kernel, &|piece| output.show_piece(part, piece))?;
        show_end(&result, &|piece| output.show_piece(part, piece))?;
        output.end_part(part)?;
        Ok(result)
    })?;
    if results.len() > 1 {
        // Standard output is the program's.
        screen::show_note(&format_table(&results));
    }
    Ok(worst_exit(&results))
}

/// What need not wait for a VM to be said.
fn check_binary(options: &TryOptions) -> Result<(), Problem> {
    let shown = options.binary.display();
    let usage = "cargo xtask try takes a program for x86-64 Linux, such as target/debug/NAME";
    let bytes = std::fs::read(&options.binary)
        .map_err(|error| Problem::usage(format!("cannot read {shown}: {error}")).help(usage))?;
    let wrong =
        |why: &str| Problem::usage(format!("{shown} cannot be run in a VM: {why}")).help(usage);
    let header = elf::FileHeader64::<Endianness>::parse(bytes.as_slice())
        .map_err(|_| wrong("it is no ELF file of 64 bits"))?;
    let endian = header.endian().map_err(|_| wrong("it is damaged"))?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err(wrong("it is for another machine"));
    }
    match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => Ok(()),
        _ => Err(wrong("it is an object file, which still has to be linked")),
    }
}

/// Bytes that a program may print. A serial line carries them in about a quarter of a minute.
const OUTPUT_LIMIT: u64 = 8 << 20;

fn make_plan(options: &TryOptions) -> Plan {
    let name = options.binary.file_name().unwrap_or_default();
    let step = Step {
        program: format!("/bin/{}", name.to_string_lossy()),
        args: options.arguments.clone(),
        env: Vec::new(),
        seconds: Some(options.seconds),
        output_limit: Some(OUTPUT_LIMIT),
        terminal: None,
        observe: false,
    };
    Plan { steps: vec![step] }
}

/// The same on every kernel.
struct Trial {
    programs: Programs,
    plan: Plan,
    seconds: u64,
}

/// How it went on one kernel.
struct TrialResult {
    kernel: String,
    /// `None`: the program exited with 0.
    failure: Option<Failed>,
    /// What is in the kernel still, although the program has ended.
    left_behind: Vec<String>,
    /// Until the VM was ready.
    ready: Duration,
    /// Of the program.
    took: Duration,
}

impl Trial {
    fn run_on(
        &self,
        kernel: &Kernel,
        show: &dyn Fn(Piece) -> io::Result<()>,
    ) -> Result<TrialResult> {
        let mut result = TrialResult {
            kernel: kernel.name.clone(),
            failure: None,
            left_behind: Vec::new(),
            ready: Duration::ZERO,
            took: Duration::ZERO,
        };
        let machine = demo::describe_machine(kernel)?;
        let mut started = match testvm::start_guest(&machine, &self.programs) {
            Ok(started) => started,
            // The other kernels may well boot.
            Err(Failure::NotBooted(death)) => {
                show(Piece::Line(Mark::Bad, testvm::show_last_words(&death)))?;
                result.failure = Some(Failed {
                    why: death.to_string(),
                    exit: Exit::MachineNotReady,
                });
                return Ok(result);
            }
            Err(failure) => return Err(failure.into_error()),
        };
        result.ready = started.ready;
        show(Piece::Progress(format!("on Linux {}", started.release)))?;
        match self.run_in(&mut started, show, &mut result) {
            Ok(()) => {}
            Err(Failure::Died(death)) => {
                show(Piece::Line(Mark::Bad, testvm::show_last_words(&death)))?;
                result.failure = Some(Failed::of_death(&death));
            }
            Err(failure) => return Err(failure.into_error()),
        }
        Ok(result)
    }

    fn run_in(
        &self,
        started: &mut Started,
        show: &dyn Fn(Piece) -> io::Result<()>,
        result: &mut TrialResult,
    ) -> Result<(), Failure> {
        let report = started.guest.run_plan(&self.plan, |happening| {
            match happening {
                Happening::Output(Stream::Stdout, bytes) => show(Piece::Stdout(bytes.to_vec()))?,
                Happening::Output(Stream::Stderr, bytes) => show(Piece::Stderr(bytes.to_vec()))?,
                Happening::Ended(_, step) => {
                    result.took = step.duration;
                    result.failure = self.describe_failure(&step.outcome);
                }
                Happening::Started(_) => {}
            }
            Ok(())
        })?;
        if started.guest.was_asked_to_stop() {
            return Err(Failure::Caller(Interrupted(SIGINT).into()));
        }
        result.left_behind = report.left_behind;
        if !report.complaints.is_empty() && result.failure.is_none() {
            let why = format!("the kernel complained: {}", report.complaints.join("; "));
            let exit = Exit::NotYet;
            result.failure = Some(Failed { why, exit });
        }
        Ok(())
    }

    fn describe_failure(&self, outcome: &Outcome) -> Option<Failed> {
        let why = match outcome {
            Outcome::Exited(0) => return None,
            Outcome::Exited(code) => format!("exit status {code}"),
            Outcome::Killed(signal) => format!("ended by signal {signal}"),
            Outcome::TimedOut => {
                let seconds = self.seconds;
                format!("ended after {seconds} s, its time limit; --seconds sets another")
            }
            Outcome::Flooded => format!("ended after {} MiB of output", OUTPUT_LIMIT >> 20),
            Outcome::NotStarted(why) => why.clone(),
        };
        let exit = Exit::NotYet;
        Some(Failed { why, exit })
    }
}

/// Only what a person should know: a program that succeeds is followed by nothing.
fn show_end(result: &TrialResult, show: &dyn Fn(Piece) -> io::Result<()>) -> io::Result<()> {
    let kernel = &result.kernel;
    if !result.left_behind.is_empty() {
        let left = result.left_behind.join(", ");
        show(Piece::Line(
            Mark::Note,
            format!("on {kernel} it left behind: {left}"),
        ))?;
    }
    if let Some(Failed { why, .. }) = &result.failure {
        show(Piece::Line(Mark::Bad, format!("on {kernel}: {why}")))?;
    }
    Ok(())
}

fn format_table(results: &[TrialResult]) -> String {
    let mut table = String::from("\nkernel  result  VM     program");
    for result in results {
        let word = if result.failure.is_none() {
            "ok"
        } else {
            "FAILED"
        };
        let (ready, took) = (format_seconds(result.ready), format_seconds(result.took));
        table += &format!("\n{:<7} {word:<7} {ready:<6} {took}", result.kernel);
    }
    table
}

fn worst_exit(results: &[TrialResult]) -> Exit {
    row::worst_exit(results.iter().filter_map(|result| result.failure.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(failure: Option<Exit>) -> TrialResult {
        TrialResult {
            kernel: "6.12".to_owned(),
            failure: failure.map(|exit| Failed {
                why: "why".to_owned(),
                exit,
            }),
            left_behind: Vec::new(),
            ready: Duration::from_millis(250),
            took: Duration::from_millis(40),
        }
    }

    fn problem_with(binary: PathBuf) -> String {
        let options = TryOptions {
            binary,
            arguments: Vec::new(),
            kernels: Selection::all(),
            seconds: 1,
            jobs: None,
        };
        check_binary(&options).unwrap_err().to_string()
    }

    #[test]
    fn the_programs_no_comes_first() {
        let (good, no) = (result(None), result(Some(Exit::NotYet)));
        let not_ready = result(Some(Exit::MachineNotReady));
        assert_eq!(worst_exit(&[good]), Exit::Done);
        assert_eq!(worst_exit(&[no, not_ready]), Exit::NotYet);
        let (no, not_ready) = (
            result(Some(Exit::NotYet)),
            result(Some(Exit::MachineNotReady)),
        );
        assert_eq!(worst_exit(&[not_ready, no]), Exit::NotYet);
        assert_eq!(
            worst_exit(&[result(Some(Exit::MachineNotReady)), result(None)]),
            Exit::MachineNotReady
        );
    }

    #[test]
    fn what_is_no_program_is_refused_before_a_vm_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(problem_with(script).ends_with("it is no ELF file of 64 bits"));
        assert!(problem_with("/nothing/here".into()).starts_with("cannot read /nothing/here"));
        let mut program = std::fs::read("/proc/self/exe").unwrap();
        // `e_machine`: AArch64.
        program[18] = 183;
        let foreign = directory.path().join("foreign");
        std::fs::write(&foreign, program).unwrap();
        assert!(problem_with(foreign).ends_with("it is for another machine"));
    }
}
