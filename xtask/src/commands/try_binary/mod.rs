//! `try`: any program of this machine, as root, in a fresh VM of each kernel.
//!
//! ```text
//!   binary        what is refused before a VM is asked for
//!   files         what comes along: --file
//!   environment   the variables that the program gets
//!   input         standard input, for every guest
//!   trial         how it went on one kernel
//! ```

mod binary;
mod environment;
mod files;
mod input;
mod trial;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use kernel::{Architecture, Kernel};
use plan::{Plan, Size, Step, Surroundings};
use problem::{Exit, Problem};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::image::Archive;
use testvm::{Failure, Happening, Machine, Programs, Started, Stream};

use crate::commands::try_binary::files::{BroughtFiles, NamedFile};
use crate::commands::try_binary::input::SharedInput;
use crate::commands::try_binary::trial::{Ending, OUTPUT_LIMIT, Trial};
use crate::output::ordered_output::{OrderedOutput, Piece};
use crate::output::screen::{self, Mark};
use crate::output::terminal::read_terminal_size;
use crate::pipeline::selection::Selection;
use crate::pipeline::{conversation, demo, needs, parallel};

#[cfg(test)]
pub use trial::json_sample;

/// What to run, and where.
pub struct TryOptions {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    pub kernels: Selection,
    /// `None`: what the program is for.
    pub architecture: Option<Architecture>,
    /// What comes along, each `PATH` or `PATH:GUEST PATH`.
    pub files: Vec<String>,
    /// More variables for its environment, each `NAME` or `NAME=VALUE`.
    pub variables: Vec<String>,
    /// That it may take on each kernel.
    pub seconds: u64,
    /// Of each guest.
    pub memory_mib: u32,
    /// How many VMs run side by side; `None`: as many as fit.
    pub jobs: Option<usize>,
    /// The user's terminal is the program's.
    pub terminal: bool,
    pub json: bool,
}

pub fn try_binary(options: &TryOptions) -> Result<Exit> {
    let architecture = binary::check_binary(&options.binary, options.architecture)?;
    if options.terminal && !conversation::has_terminal() {
        let what = "--terminal needs a terminal here, for input and output";
        return Err(Problem::usage(what).into());
    }
    let selection = &options.kernels;
    if options.terminal && selection.is_several() {
        let problem = Problem::usage("there is one terminal, and there are several kernels");
        return Err(problem.help("--kernel 6.12").into());
    }
    check_kernel_file(options, architecture)?;
    let work = Work::prepare(options, architecture)?;
    let kernels = selection.kernel_needs_on(architecture);
    needs::ensure_needs(&[needs::vm_needs(architecture), kernels].concat())?;
    let kernels = selection.find_kernels_on(architecture)?;
    let jobs = options
        .jobs
        .unwrap_or_else(|| parallel::as_many_as_fit_of(options.memory_mib));
    let output = OrderedOutput::new(kernels.len());
    let trials = parallel::run_on_each(&kernels, Some(jobs), |part, kernel| {
        let show = |piece| output.show_piece(part, piece);
        let trial = work.run_on(kernel, &show)?;
        match options.json {
            true => show(Piece::Stdout(trial.as_json()?.into_bytes()))?,
            false => trial.show_end(&show)?,
        }
        output.end_part(part)?;
        Ok(trial)
    })?;
    if trials.len() > 1 && !options.json {
        // Standard output is the program's.
        screen::show_note(&trial::format_table(&trials));
    }
    Ok(trial::worst_exit(&trials))
}

/// What the program is for decides, so that `--arch` cannot help.
fn check_kernel_file(options: &TryOptions, architecture: Architecture) -> Result<()> {
    let of_file = options.kernels.file_architecture()?;
    let Some(other) = of_file.filter(|other| *other != architecture) else {
        return Ok(());
    };
    let program = options.binary.display();
    let what = format!("this kernel is for {other}, and {program} is a program for {architecture}");
    let help = format!("an {architecture} kernel, such as --kernel 6.12, or a program for {other}");
    Err(Problem::usage(what).help(help).into())
}

/// The same on every kernel.
struct Work {
    programs: Programs,
    plan: Plan,
    seconds: u64,
    memory_mib: u32,
    json: bool,
    input: Option<Arc<SharedInput>>,
}

/// Where `--file` is likely to bring programs to.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Work {
    fn prepare(options: &TryOptions, architecture: Architecture) -> Result<Self> {
        let current = env::current_dir().context("cannot find the current directory")?;
        let place = place_of(&options.binary, &current);
        let variables = environment::collect_variables(&options.variables)?;
        let programs = pack_programs(options, architecture, &current, &place, &variables)?;
        let takes_input = !options.terminal && input::has_input();
        let terminal = options.terminal.then(read_terminal_size).transpose()?;
        let step = make_step(options, &place, variables, terminal);
        let surroundings = Surroundings {
            directory: start_in(&current),
            input: takes_input,
        };
        let step = Step {
            surroundings: Some(surroundings),
            ..step
        };
        Ok(Self {
            programs,
            plan: Plan { steps: vec![step] },
            seconds: options.seconds,
            memory_mib: options.memory_mib,
            json: options.json,
            input: takes_input.then(Arc::default),
        })
    }

    fn run_on(&self, kernel: &Kernel, show: &dyn Fn(Piece) -> io::Result<()>) -> Result<Trial> {
        let mut trial = Trial::new(kernel);
        let machine = Machine {
            memory_mib: self.memory_mib,
            ..demo::describe_machine(kernel)?
        };
        let mut started = match testvm::start_guest(&machine, &self.programs) {
            Ok(started) => started,
            // The other kernels may well boot.
            Err(Failure::NotBooted(death)) => {
                show(Piece::Line(Mark::Bad, testvm::show_last_words(&death)))?;
                trial.end_with_death(Ending::NotBooted, &death);
                return Ok(trial);
            }
            Err(failure) => return Err(failure.into_error()),
        };
        trial.ready = started.ready;
        trial.release.clone_from(&started.release);
        show(Piece::Progress(format!("on Linux {}", started.release)))?;
        match self.run_in(&mut started, show, &mut trial) {
            Ok(()) => {}
            Err(Failure::Died(death)) => {
                show(Piece::Line(Mark::Bad, testvm::show_last_words(&death)))?;
                trial.end_with_death(Ending::Crashed, &death);
            }
            Err(failure) => return Err(failure.into_error()),
        }
        Ok(trial)
    }

    fn run_in(
        &self,
        started: &mut Started,
        show: &dyn Fn(Piece) -> io::Result<()>,
        trial: &mut Trial,
    ) -> Result<(), Failure> {
        if let Some(input) = &self.input {
            input
                .feed_guest(&mut started.guest)
                .map_err(Failure::Caller)?;
        }
        let has_terminal = self.plan.steps.iter().any(|step| step.terminal.is_some());
        let keyboard = started.guest.keyboard();
        let raw = has_terminal.then(|| conversation::tie_terminal(&keyboard));
        let raw = raw.transpose().map_err(Failure::Caller)?;
        let report = started.guest.run_plan(&self.plan, |happening| {
            match happening {
                Happening::Output(stream, bytes) if self.json => trial.keep_output(stream, bytes),
                Happening::Output(Stream::Stdout, bytes) => show(Piece::Stdout(bytes.to_vec()))?,
                Happening::Output(Stream::Stderr, bytes) => show(Piece::Stderr(bytes.to_vec()))?,
                Happening::Ended(_, step) => {
                    trial.took = step.duration;
                    trial.end_with_outcome(&step.outcome, self.seconds);
                }
                Happening::Started(_) => {}
            }
            Ok(())
        });
        drop(raw);
        let report = report?;
        if started.guest.was_asked_to_stop() {
            return Err(Failure::Caller(Interrupted(SIGINT).into()));
        }
        trial.left_behind = report.left_behind;
        trial.end_with_complaints(report.complaints);
        Ok(())
    }
}

/// Where a program is in the guest: where it is here, so that it finds what is beside it, unless
/// that is the kernel's there.
fn place_of(program: &Path, current: &Path) -> PathBuf {
    let place = files::normalize_path(&current.join(program));
    match files::is_free_place(&place) {
        true => place,
        false => Path::new("bin").join(program.file_name().unwrap_or_default()),
    }
}

/// Likewise, where it starts.
fn start_in(current: &Path) -> String {
    let place = files::normalize_path(current);
    match (files::is_free_place(&place), place.to_str()) {
        (true, Some(place)) => format!("/{place}"),
        _ => "/root".to_owned(),
    }
}

fn make_step(
    options: &TryOptions,
    place: &Path,
    variables: Vec<(String, String)>,
    terminal: Option<Size>,
) -> Step {
    let mut env = vec![("PATH".to_owned(), PATH.to_owned())];
    env.extend(variables);
    if terminal.is_some() {
        let term = env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
        env.push(("TERM".to_owned(), term));
    }
    let has_limits = terminal.is_none();
    Step {
        program: format!("/{}", place.display()),
        args: options.arguments.clone(),
        env,
        seconds: has_limits.then_some(options.seconds),
        output_limit: has_limits.then_some(OUTPUT_LIMIT),
        terminal,
        observe: false,
        surroundings: None,
    }
}

/// The program, and all that comes along.
fn pack_programs(
    options: &TryOptions,
    architecture: Architecture,
    current: &Path,
    place: &Path,
    variables: &[(String, String)],
) -> Result<Programs> {
    let named = options
        .files
        .iter()
        .map(|text| NamedFile::parse_argument(text, current))
        .collect::<Result<Vec<_>, _>>()?;
    let files = BroughtFiles::collect_files(&named)?;
    for path in files.left_out() {
        let path = path.display();
        screen::show_marked(
            Mark::Note,
            &format!("{path} does not come along: it is no file, directory or link"),
        );
    }
    // Before they are read.
    let (size, largest) = files.measure_size();
    check_room(size, largest, options.memory_mib)?;
    let mut archive = Archive::default();
    files.put_into(&mut archive, architecture)?;
    files::add_program(&mut archive, &files, architecture, &options.binary, place)?;
    for program in environment::find_package_programs(variables) {
        let place = files::normalize_path(&program);
        if !archive.contains_path(&place) && files::is_free_place(&place) {
            files::add_program(&mut archive, &files, architecture, &program, &place)?;
        }
    }
    let programs = archive.finish_archive()?;
    check_room(programs.len() as u64, largest, options.memory_mib)?;
    Ok(programs)
}

/// Of a guest's memory, the part that its files may take: the rest is the kernel's and the
/// program's.
const PART_FOR_FILES: u64 = 3;

fn check_room(size: u64, largest: Option<&Path>, memory_mib: u32) -> Result<(), Problem> {
    let mebibytes = size.div_ceil(1 << 20);
    let room = u64::from(memory_mib) / PART_FOR_FILES;
    if mebibytes <= room {
        return Ok(());
    }
    let enough = (mebibytes * PART_FOR_FILES).next_multiple_of(64);
    let mut problem = Problem::usage(format!(
        "the program and its files take {mebibytes} MiB, and a guest with {memory_mib} MiB of \
         memory has room for {room} MiB"
    ));
    if let Some(largest) = largest {
        problem = problem.help(format!("the largest is {}", largest.display()));
    }
    Err(problem.help(format!("--memory {enough} makes a guest with enough room")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_lies_where_it_lies_here() {
        let place = |program: &str| place_of(Path::new(program), Path::new("/home/me/crate"));
        assert_eq!(place("./target/x"), Path::new("home/me/crate/target/x"));
        assert_eq!(place("/bin/true"), Path::new("bin/true"));
        assert_eq!(place("/dev/shm/x"), Path::new("bin/x"));
        assert_eq!(start_in(Path::new("/home/me")), "/home/me");
        assert_eq!(start_in(Path::new("/")), "/");
        assert_eq!(start_in(Path::new("/proc/self")), "/root");
    }

    #[test]
    fn what_is_too_large_is_told_with_both_sizes_and_the_option() {
        check_room(85 << 20, None, 256).unwrap();
        let problem = check_room((85 << 20) + 1, Some(Path::new("/big")), 256).unwrap_err();
        let told = [vec![problem.to_string()], problem.help_lines().to_vec()].concat();
        insta::assert_snapshot!(told.join("\n"));
        check_room((85 << 20) + 1, None, 320).unwrap();
    }
}
