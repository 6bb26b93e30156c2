//! `run`: a lesson with its demo, on kernels in VMs. For this machine's own kernel see `host`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use kernel::{DEFAULT, Kernel};
use problem::{Exit, Problem};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::{Accel, Death, Failure, Happening, HeadStart, How, Programs, Started, Stream};

use crate::commands::shell;
use crate::output::ordered_output::{OrderedOutput, Piece};
use crate::output::row::{self, Row};
use crate::output::screen::{self, Mark, format_seconds};
use crate::pipeline::demo::{self, Script};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, host, needs, parallel};

/// What to run, and where.
pub struct RunOptions {
    /// In any of its forms.
    pub lesson: String,
    pub implementations: Vec<Implementation>,
    pub kernels: Selection,
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

pub fn run_lesson(options: &RunOptions) -> Result<Exit> {
    let lessons = catalog::read_lessons()?;
    let lesson = catalog::find_lesson(&lessons, &options.lesson)?;
    let (selection, implementations) = (&options.kernels, &options.implementations);
    check_follow(lesson, options)?;
    if options.host {
        return host::run_on_host(lesson, implementations, &options.arguments, options.follow);
    }
    // Wrong before long set-up: a file that is no kernel.
    if let Selection::File(_) = selection {
        selection.find_kernels()?;
    }
    if options.follow {
        if shell::has_terminal() {
            return shell::follow_lesson(lesson, implementations[0], selection);
        }
        screen::show_note(
            "nothing but the lesson runs in this VM; on a terminal, --follow gives you a prompt \
             there",
        );
    }
    let vm_needs = [&needs::VM_NEEDS[..], &selection.kernel_needs()].concat();
    // What needs no VM is shown before one is asked for.
    let starts_here = options.arguments.is_empty()
        && lesson
            .about
            .demo
            .iter()
            .any(|demo| demo.place == StepPlace::Here);
    let first_needs = if starts_here {
        Vec::new()
    } else {
        vm_needs.clone()
    };
    needs::ensure_needs(&[&needs::BUILD_NEEDS[..], &first_needs].concat())?;

    let mut kernels = Vec::new();
    if !starts_here {
        kernels = selection.find_kernels()?;
    }
    // A VM gets ready while cargo looks whether everything is built.
    let (program, build, head_start) = build_and_start(lesson, &kernels)?;
    if starts_here && !host::run_unprivileged(lesson, &program, implementations)? {
        return Ok(Exit::NotYet);
    }
    if starts_here {
        needs::ensure_needs(&vm_needs)?;
        kernels = selection.find_kernels()?;
    }
    let rows = run_on_kernels(lesson, &program, &kernels, head_start, options)?;
    conclude(&lessons, lesson, options, &rows, build)
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
    let many = options.implementations.len() > 1 || options.kernels == Selection::All;
    if options.follow && many {
        return Err(Problem::usage(
            "--follow goes on until Ctrl-C: it takes one implementation and one kernel",
        )
        .help(format!("cargo xtask run {number} --follow")));
    }
    Ok(())
}

/// Builds the lesson and, if there is one kernel only, starts its VM at the same time. Says how
/// long the build took.
fn build_and_start(
    lesson: &Lesson,
    kernels: &[Kernel],
) -> Result<(PathBuf, Duration, Option<HeadStart>)> {
    let begin = Instant::now();
    let build = || build::build_lesson(lesson).map(|program| (program, begin.elapsed()));
    let [kernel] = kernels else {
        let (program, time) = build()?;
        return Ok((program, time, None));
    };
    let ((program, time), head_start) =
        testvm::start_ahead_beside(&demo::describe_machine(kernel)?, build)?;
    Ok((program, time, Some(head_start)))
}

/// Runs the lesson on these kernels, some side by side. With a head start, there is one kernel.
fn run_on_kernels(
    lesson: &Lesson,
    program: &Path,
    kernels: &[Kernel],
    head_start: Option<HeadStart>,
    options: &RunOptions,
) -> Result<Vec<Row>> {
    let programs = demo::pack_programs(&[program])?;
    let head_start = Mutex::new(head_start);
    let performance = Performance {
        lesson,
        script: Script::of_run(
            lesson,
            &options.implementations,
            &options.arguments,
            options.follow,
        ),
        programs,
        head_start,
        options,
    };
    let output = OrderedOutput::new(kernels.len());
    let rows = parallel::run_on_each(kernels, options.jobs, |part, kernel| {
        let rows = performance.on(kernel, &|piece| output.show_piece(part, piece));
        let rows = rows.or_else(|error| performance.not_started(kernel, error, kernels.len()));
        output.end_part(part)?;
        rows
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// What is to be run, the same on every kernel.
struct Performance<'a> {
    lesson: &'a Lesson,
    script: Script,
    programs: Programs,
    head_start: Mutex<Option<HeadStart>>,
    options: &'a RunOptions,
}

impl Performance<'_> {
    /// Runs the script on one kernel and shows what it prints.
    fn on(&self, kernel: &Kernel, show: &dyn Fn(Piece) -> io::Result<()>) -> Result<Vec<Row>> {
        let Self {
            lesson,
            script,
            programs,
            head_start,
            options,
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
        let place = where_it_runs(&started);
        let mut rows: Vec<Row> = Vec::new();
        let ended = started.guest.run_plan(&script.plan, |happening| {
            match happening {
                Happening::Started(index) => {
                    let implementation = script.implementations[index];
                    if rows
                        .last()
                        .is_none_or(|row| row.implementation != implementation)
                    {
                        let line = format!("{} with {implementation} {place}", lesson.full_name());
                        show(Piece::Line(Mark::Note, line))?;
                        rows.push(Row::new(&kernel.name, implementation, started.ready));
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
        if started.guest.was_asked_to_stop() && !options.follow {
            return Err(Interrupted(SIGINT).into());
        }
        if rows.is_empty() {
            rows.push(Row::new(
                &kernel.name,
                script.implementations[0],
                started.ready,
            ));
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
                rows[last].record_failure(death.to_string(), blame(&death));
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
        let mut row = Row::new(&kernel.name, self.script.implementations[0], Duration::ZERO);
        row.record_failure(format!("{error:#}"), Exit::MachineNotReady);
        Ok(vec![row])
    }
}

/// A QEMU that was ended from outside is not the lesson's fault.
fn blame(death: &Death) -> Exit {
    if death.qemu_failed.is_some() {
        Exit::MachineNotReady
    } else {
        Exit::NotYet
    }
}

fn where_it_runs(started: &Started) -> String {
    let how = match started.how {
        How::Resumed => "resumed",
        How::Booted => "booted",
    };
    let why = match started.accel {
        Accel::Kvm => "with KVM",
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
    if options.kernels == Selection::All {
        screen::write_verdict(row::format_table(rows).as_bytes())?;
    }
    let mut failed = rows
        .iter()
        .filter_map(|row| Some((row, row.failure.as_ref()?)))
        .peekable();
    if let Some((row, _)) = failed.peek() {
        let kernel = if options.kernels == Selection::All {
            row.kernel.clone()
        } else {
            options.kernels.to_string()
        };
        let hint = format!("look around in that VM: cargo xtask shell --kernel {kernel}");
        for (row, failure) in failed {
            screen::show_marked(
                Mark::Bad,
                &format!("{} on {}: {}", row.implementation, row.kernel, failure.why),
            );
        }
        screen::show_note(&hint);
        return Ok(row::worst_exit(rows));
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
        if options.kernels == Selection::All {
            "done"
        } else {
            &times
        },
    );
    screen::show_note(&format!("next: {}", next_command(lessons, lesson, options)));
    Ok(Exit::Done)
}

/// From one implementation to both, from one kernel to all, then to the next lesson.
fn next_command(lessons: &[Lesson], lesson: &Lesson, options: &RunOptions) -> String {
    let number = &lesson.number;
    if options.implementations == [Implementation::Aya]
        && options.kernels == Selection::One(DEFAULT)
    {
        return format!(
            "cargo xtask run {number} --impl libbpf    (the same with the eBPF program in C)"
        );
    }
    if options.kernels != Selection::All {
        return format!("cargo xtask run {number} --impl both --kernel all");
    }
    match lessons.iter().find(|other| other.number > lesson.number) {
        Some(following) => format!("cargo xtask run {}", following.number),
        None => "cargo xtask shell    (look around in the VM)".to_owned(),
    }
}
