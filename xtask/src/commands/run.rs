//! `run`: a lesson with its demo, on kernels in VMs. For this machine's own kernel see `host`.

use std::fs;
use std::io;
use std::path::Path;
use std::slice;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use kernel::{Architecture, DEFAULT, Kernel};
use problem::{Exit, Problem};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::timeline::note_retry;
use testvm::{Accel, Failure, Happening, HeadStart, How, Programs, Started, Stream};

use crate::commands::shell;
use crate::output::ordered_output::{OrderedOutput, Piece};
use crate::output::row::{self, Failed, Row};
use crate::output::screen::{self, Mark, format_seconds};
use crate::pipeline::demo::{self, Script};
use crate::pipeline::lesson_kernels::choose_kernels;
use crate::pipeline::pending_build::{Outdated, PendingBuild};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, conversation, host, needs, parallel};

/// What to run, and where.
pub struct RunOptions {
    /// In any of its forms.
    pub lesson: String,
    pub implementations: Vec<Implementation>,
    pub kernels: Selection,
    /// What the kernels and the programs are for.
    pub architectures: Vec<Architecture>,
    /// On this machine's own kernel instead.
    pub host: bool,
    /// The lesson goes on after its demo.
    pub follow: bool,
    /// How many VMs run side by side; `None`: as many as fit.
    pub jobs: Option<usize>,
    pub verbose: bool,
    /// For the lesson's program, in place of its demo's.
    pub arguments: Vec<String>,
}

impl RunOptions {
    /// Whether it ends with a table.
    fn is_several(&self) -> bool {
        self.kernels.is_several() || self.architectures.len() > 1
    }
}

pub fn run_lesson(options: &RunOptions) -> Result<Exit> {
    let lessons = catalog::read_lessons()?;
    let lesson = catalog::find_lesson(&lessons, &options.lesson)?;
    let (selection, implementations) = (&options.kernels, &options.implementations);
    check_follow(lesson, options)?;
    if options.host {
        return host::run_on_host(lesson, implementations, &options.arguments, options.follow);
    }
    selection.check_file(&options.architectures)?;
    if options.follow {
        if conversation::has_terminal() {
            let kernel = shell::prepare_kernel(selection, options.architectures[0])?;
            let kernels = choose_kernels("run", lesson, vec![kernel])?;
            return shell::follow_lesson(lesson, implementations[0], &kernels[0]);
        }
        screen::show_note(
            "nothing but the lesson runs in this VM; on a terminal, --follow gives you a prompt \
             there",
        );
    }
    // What needs no VM is shown before one is asked for.
    let starts_here = options.arguments.is_empty()
        && lesson
            .about
            .demo
            .iter()
            .any(|demo| demo.place == StepPlace::Here);
    if starts_here {
        needs::ensure_needs(&needs::BUILD_NEEDS)?;
        let program = build::build_lesson(lesson, Architecture::HOST)?;
        if !host::run_unprivileged(lesson, &program, implementations)? {
            return Ok(Exit::NotYet);
        }
    }
    let mut rows = Vec::new();
    let mut build = Duration::ZERO;
    for &architecture in &options.architectures {
        let (more, took) = run_on_architecture(lesson, architecture, options)?;
        rows.extend(more);
        build += took;
    }
    conclude(&lessons, lesson, options, &rows, build)
}

/// Builds the lesson for an architecture and runs it on its kernels. Says how long the build took.
fn run_on_architecture(
    lesson: &Lesson,
    architecture: Architecture,
    options: &RunOptions,
) -> Result<(Vec<Row>, Duration)> {
    let selection = &options.kernels;
    needs::ensure_needs_on(selection, architecture)?;
    let kernels = choose_kernels("run", lesson, selection.find_kernels_on(architecture)?)?;
    if let [kernel] = kernels.as_slice() {
        return run_beside_build(lesson, kernel, options);
    }
    let begin = Instant::now();
    let program = build::build_lesson(lesson, architecture)?;
    let build = begin.elapsed();
    let performance = Performance::of_built(lesson, &program, options)?;
    Ok((performance.on_each(&kernels)?, build))
}

/// Whether the lesson can go on after its demo.
fn check_follow(lesson: &Lesson, options: &RunOptions) -> Result<(), Problem> {
    let number = &lesson.number;
    if options.follow && !lesson.about.demo.iter().any(|demo| demo.follow) {
        return Err(Problem::usage(format!(
            "lesson {number} ends by itself: there is nothing to follow"
        ))
        .help(format!("cargo xtask run {number}")));
    }
    let many = options.implementations.len() > 1 || options.is_several();
    if options.follow && many {
        return Err(Problem::usage(
            "--follow goes on until Ctrl-C: it takes one implementation, one kernel and one \
             architecture",
        )
        .help(format!("cargo xtask run {number} --follow")));
    }
    Ok(())
}

/// Runs the lesson on one kernel, whose VM gets ready while cargo looks whether everything is
/// built. Says how long the build took.
fn run_beside_build(
    lesson: &Lesson,
    kernel: &Kernel,
    options: &RunOptions,
) -> Result<(Vec<Row>, Duration)> {
    thread::scope(|scope| {
        let build = PendingBuild::start_build(scope, lesson, kernel.architecture);
        let begun = try_earlier_program(lesson, kernel, &build, options);
        let (head_start, rows) = begun.map_err(|error| build.or_earlier_error(error))?;
        let built = build.wait_for_lesson()?;
        let rows = match rows {
            Some(rows) => rows,
            None => Performance {
                head_start: Mutex::new(head_start),
                ..Performance::of_built(lesson, &built.program, options)?
            }
            .on_each(slice::from_ref(kernel))?,
        };
        Ok((rows, built.took))
    })
}

/// Starts a VM and, where there is a program that seems to be right, runs it. Nothing is shown
/// before cargo has said that it is. A VM that ran nothing is still good for the right one.
fn try_earlier_program(
    lesson: &Lesson,
    kernel: &Kernel,
    build: &PendingBuild<'_>,
    options: &RunOptions,
) -> Result<(Option<HeadStart>, Option<Vec<Row>>)> {
    let machine = demo::describe_machine(kernel)?;
    let program = build::lesson_program(lesson, kernel.architecture);
    let seems_right = !is_older_than_source(&program, lesson);
    let (head_start, packed) = thread::scope(|scope| {
        let pack = || Performance::of_built(lesson, &program, options);
        let packed = seems_right.then(|| scope.spawn(pack));
        // Here and not in the other thread: a VM ends with the thread that started it.
        let head_start = testvm::start_ahead(&machine);
        (head_start, packed.map(|thread| thread.join()))
    });
    let head_start = head_start.map_err(Failure::into_error)?;
    let Some(packed) = packed else {
        return Ok((Some(head_start), None));
    };
    let performance = Performance {
        head_start: Mutex::new(Some(head_start)),
        proof: Some(&|tried| build.prove_programs(tried)),
        ..packed.map_err(|_| anyhow!("the thread that packs the lesson panicked"))??
    };
    match performance.on_each(slice::from_ref(kernel)) {
        Err(error) if error.is::<Outdated>() => {
            note_retry(&error.to_string());
            Ok((None, None))
        }
        rows => Ok((None, Some(rows?))),
    }
}

/// A guess that saves trying a program that will be built again. Cargo knows.
fn is_older_than_source(program: &Path, lesson: &Lesson) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified());
    let Ok(built) = modified(program) else {
        return true;
    };
    let places = ["src", "ebpf/src", "bpf"].map(|place| lesson.directory.join(place));
    let files = places.iter().flat_map(fs::read_dir).flatten().flatten();
    let mut times = files.map(|file| modified(&file.path()));
    times.any(|time| time.is_ok_and(|time| time > built))
}

type Proof<'a> = dyn Fn(&Programs) -> Result<()> + Sync + 'a;

/// What is to be run, the same on every kernel.
struct Performance<'a> {
    lesson: &'a Lesson,
    script: Script,
    programs: Programs,
    /// Where there is one kernel only.
    head_start: Mutex<Option<HeadStart>>,
    /// Waits until the programs are known to be right; `None`: they are.
    proof: Option<&'a Proof<'a>>,
    options: &'a RunOptions,
}

impl<'a> Performance<'a> {
    fn of_built(lesson: &'a Lesson, program: &Path, options: &'a RunOptions) -> Result<Self> {
        let implementations = &options.implementations;
        Ok(Self {
            lesson,
            script: Script::of_run(lesson, implementations, &options.arguments, options.follow),
            programs: demo::pack_programs(&[program])?,
            head_start: Mutex::new(None),
            proof: None,
            options,
        })
    }

    /// Runs the script on these kernels, some side by side.
    fn on_each(&self, kernels: &[Kernel]) -> Result<Vec<Row>> {
        let output = OrderedOutput::new(kernels.len());
        let rows = parallel::run_on_each(kernels, self.options.jobs, |part, kernel| {
            let rows = self.on(kernel, &|piece| output.show_piece(part, piece));
            let rows = rows.or_else(|error| self.not_started(kernel, error, kernels.len()));
            output.end_part(part)?;
            rows
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Runs the script on one kernel and shows what it prints.
    fn on(&self, kernel: &Kernel, show: &dyn Fn(Piece) -> io::Result<()>) -> Result<Vec<Row>> {
        let Self {
            lesson,
            script,
            programs,
            head_start,
            options,
            ..
        } = self;
        let machine = demo::describe_machine(kernel)?;
        let head_start = head_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let head_start = head_start.map_or_else(|| testvm::start_ahead(&machine), Ok);
        let started =
            head_start.and_then(|head_start| head_start.give_programs(&machine, programs));
        let mut started = started.map_err(Failure::into_error)?;
        if options.verbose {
            started
                .notes
                .iter()
                .try_for_each(|note| show(Piece::Progress(note.clone())))?;
        }
        let place = where_it_runs(&started, kernel.architecture);
        let mut rows: Vec<Row> = Vec::new();
        let mut proof = self.proof;
        let mut prove = || proof.take().map_or(Ok(()), |proof| proof(programs));
        let ended = started.guest.run_plan(&script.plan, |happening| {
            prove()?;
            match happening {
                Happening::Started(index) => {
                    let implementation = script.implementations[index];
                    if rows
                        .last()
                        .is_none_or(|row| row.implementation != implementation)
                    {
                        let line = format!("{} with {implementation} {place}", lesson.full_name());
                        show(Piece::Line(Mark::Note, line))?;
                        rows.push(Row::new(kernel, implementation, started.ready));
                    }
                }
                Happening::Output(Stream::Stdout, bytes) => show(Piece::Stdout(bytes.to_vec()))?,
                Happening::Output(Stream::Stderr, bytes) => show(Piece::Stderr(bytes.to_vec()))?,
                Happening::Ended(_, report) => {
                    if let Some(row) = rows.last_mut() {
                        row.step_ended(&report.outcome, report.duration);
                    }
                }
            }
            Ok(())
        });
        if let Err(Failure::Caller(error)) = ended {
            return Err(error);
        }
        // Where the VM died before anything happened.
        prove()?;
        if started.guest.was_asked_to_stop() && !options.follow {
            return Err(Interrupted(SIGINT).into());
        }
        if rows.is_empty() {
            rows.push(Row::new(kernel, script.implementations[0], started.ready));
        }
        let last = rows.len() - 1;
        match ended {
            Ok(report) if !report.left_behind.is_empty() => {
                rows[last].record_failure(
                    format!("it left behind: {}", report.left_behind.join(", ")),
                    Exit::NotYet,
                );
            }
            Ok(report) if !report.complaints.is_empty() => {
                rows[last].record_failure(
                    format!("the kernel complained: {}", report.complaints.join("; ")),
                    Exit::NotYet,
                );
            }
            Ok(_) => {}
            Err(Failure::Died(death)) => {
                show(Piece::Line(Mark::Bad, testvm::show_last_words(&death)))?;
                let failed = Failed::of_death(&death);
                rows[last].record_failure(failed.why, failed.exit);
            }
            Err(failure) => return Err(failure.into_error()),
        }
        Ok(rows)
    }

    /// One kernel of several that does not boot is a row of the table: the others may well boot.
    fn not_started(
        &self,
        kernel: &Kernel,
        error: anyhow::Error,
        kernels: usize,
    ) -> Result<Vec<Row>> {
        if kernels == 1 || !error.is::<Problem>() {
            return Err(error);
        }
        let mut row = Row::new(kernel, self.script.implementations[0], Duration::ZERO);
        row.record_failure(format!("{error:#}"), Exit::MachineNotReady);
        Ok(vec![row])
    }
}

fn where_it_runs(started: &Started, architecture: Architecture) -> String {
    let how = match started.how {
        How::Resumed => "resumed",
        How::Booted => "booted",
    };
    let why = match started.accel {
        Accel::Kvm => "with KVM",
        Accel::Tcg if architecture != Architecture::HOST => "all of it emulated",
        // `doctor` says why.
        Accel::Tcg => "this machine has no usable KVM",
    };
    format!(
        "on Linux {} in a VM, {how} in {} ({why})",
        started.release,
        format_seconds(started.ready)
    )
}

fn conclude(
    lessons: &[Lesson],
    lesson: &Lesson,
    options: &RunOptions,
    rows: &[Row],
    build: Duration,
) -> Result<Exit> {
    if options.is_several() {
        screen::write_verdict(&row::format_table(rows))?;
    }
    let failed = rows
        .iter()
        .filter_map(|row| Some((row, row.failure.as_ref()?)));
    let failed: Vec<_> = failed.collect();
    for (row, failure) in &failed {
        let place = row.label();
        screen::show_marked(
            Mark::Bad,
            &format!("{} on {place}: {}", row.implementation, failure.why),
        );
    }
    if let Some((row, _)) = failed.first() {
        let kernel = match options.is_several() {
            true => row.kernel.clone(),
            false => options.kernels.to_string(),
        };
        let architecture = row.architecture.option();
        let shell = format!("cargo xtask shell{architecture} --kernel {kernel}");
        screen::show_note(&format!("look around in that VM: {shell}"));
        return Ok(row::worst_exit(failed.iter().map(|(_, failure)| *failure)));
    }
    let ran: Duration = rows.iter().map(|row| row.lesson).sum();
    let ready = rows.first().map_or(Duration::ZERO, |row| row.ready);
    let times = format!(
        "done: build {}, VM {}, lesson {}",
        format_seconds(build),
        format_seconds(ready),
        format_seconds(ran)
    );
    screen::show_marked(
        Mark::Good,
        if options.is_several() { "done" } else { &times },
    );
    screen::show_note(&format!("next: {}", next_command(lessons, lesson, options)));
    Ok(Exit::Done)
}

/// From one implementation to both, from one kernel to all, then to the next lesson.
fn next_command(lessons: &[Lesson], lesson: &Lesson, options: &RunOptions) -> String {
    let number = &lesson.number;
    let architecture = match options.architectures[..] {
        [architecture] => architecture.option(),
        _ => String::new(),
    };
    let arguments = architecture + &format_arguments(&options.arguments);
    if options.implementations == [Implementation::Aya]
        && options.kernels == Selection::one(DEFAULT)
    {
        return format!(
            "cargo xtask run {number} --impl libbpf{arguments}    \
             (the same with the eBPF program in C)"
        );
    }
    if !options.is_several() {
        return format!("cargo xtask run {number} --impl both --kernel all{arguments}");
    }
    match lessons.iter().find(|other| other.number > lesson.number) {
        Some(following) => format!("cargo xtask run {}", following.number),
        None => "cargo xtask shell    (look around in the VM)".to_owned(),
    }
}

/// A lesson's arguments, as they are typed after those of `run`.
fn format_arguments(arguments: &[String]) -> String {
    let mut text = String::new();
    for argument in arguments {
        text += if text.is_empty() { " -- " } else { " " };
        text += &quote_for_shell(argument);
    }
    text
}

/// A word that a shell takes as it is, or a text in quotes.
fn quote_for_shell(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=+%@".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_shown_as_they_are_typed() {
        let shown = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
            format_arguments(&arguments)
        };
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&["--first"]), " -- --first");
        assert_eq!(shown(&["--deny", "my plan"]), " -- --deny 'my plan'");
        assert_eq!(shown(&["it's", ""]), r" -- 'it'\''s' ''");
    }
}
