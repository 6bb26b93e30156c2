//! `run`: a lesson with its demo, on kernels in VMs. For this machine's own kernel see `host`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::catalog::{self, Implementation, Lesson, Place};
use crate::cli::Run;
use crate::demo::{self, Script};
use crate::kernel::{DEFAULT, Kernel};
use crate::problem::{Exit, Problem};
use crate::row::{self, Row, seconds};
use crate::screen::{self, Mark};
use crate::selection::Selection;
use crate::vm::{self, Accel, Death, Failure, Happening, How, Interrupted, Programs, Started, Stream};
use crate::{build, host, setup};

/// What Ctrl-C sends.
const INTERRUPT: i32 = signal_hook::consts::SIGINT;

pub fn run(options: &Run) -> Result<Exit> {
    let lessons = catalog::lessons()?;
    let lesson = catalog::find(&lessons, &options.lesson)?;
    let selection = Selection::parse(&options.kernel)?;
    check_follow(lesson, options)?;
    if options.host {
        return host::run(lesson, options);
    }
    // Wrong before long set-up: a file that is no kernel.
    if let Selection::File(_) = selection {
        selection.kernels()?;
    }
    let vm_needs = [&demo::VM_NEEDS[..], &selection.needs()].concat();
    // What needs no VM is shown before one is asked for.
    let starts_here =
        options.args.is_empty() && lesson.about.demo.iter().any(|demo| demo.place == Place::Here);
    let first_needs = if starts_here { Vec::new() } else { vm_needs.clone() };
    setup::ensure(&[&demo::BUILD_NEEDS[..], &first_needs].concat())?;

    let begin = Instant::now();
    let program = build::lesson(lesson)?;
    let build = begin.elapsed();
    let implementations = options.implementation.implementations();
    if starts_here && !host::run_unprivileged(lesson, &program, &implementations)? {
        return Ok(Exit::NotYet);
    }
    setup::ensure(&vm_needs)?;
    let rows = run_on_kernels(lesson, &program, &selection.kernels()?, options)?;
    conclude(&lessons, lesson, options, &rows, build)
}

/// Whether the lesson can go on after its demo.
fn check_follow(lesson: &Lesson, options: &Run) -> Result<(), Problem> {
    let number = &lesson.number;
    if options.follow && !lesson.about.demo.iter().any(|demo| demo.follow) {
        return Err(Problem::usage(format!("lesson {number} ends by itself: there is nothing to follow"))
            .help(format!("cargo xtask run {number}")));
    }
    let many = options.implementation.implementations().len() > 1 || options.kernel == "all";
    if options.follow && many {
        return Err(Problem::usage(
            "--follow goes on until Ctrl-C: it takes one implementation and one kernel",
        )
        .help(format!("cargo xtask run {number} --follow")));
    }
    Ok(())
}

fn run_on_kernels(lesson: &Lesson, program: &Path, kernels: &[Kernel], options: &Run) -> Result<Vec<Row>> {
    let programs = demo::programs(&[program])?;
    let script = Script::of_run(lesson, options);
    let mut rows = Vec::new();
    for kernel in kernels {
        match run_on(lesson, &script, kernel, &programs, options) {
            Ok(new) => rows.extend(new),
            // The other kernels may well boot.
            Err(error) if kernels.len() > 1 && error.is::<Problem>() => {
                screen::say(Mark::Bad, &format!("{error:#}"));
                let mut row = Row::new(&kernel.name, script.implementations[0], Duration::ZERO);
                row.fail("its VM did not start", Exit::MachineNotReady);
                rows.push(row);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

/// Runs the script on one kernel and streams what it prints.
fn run_on(
    lesson: &Lesson,
    script: &Script,
    kernel: &Kernel,
    programs: &Programs,
    options: &Run,
) -> Result<Vec<Row>> {
    let mut started = vm::start(&demo::machine(kernel)?, programs).map_err(Failure::into_error)?;
    if options.verbose {
        started.notes.iter().for_each(|note| screen::progress(note));
    }
    let place = where_it_runs(&started);
    let mut rows: Vec<Row> = Vec::new();
    let ended = started.guest.run(&script.plan, |happening| {
        match happening {
            Happening::Started(index) => {
                let implementation = script.implementations[index];
                if rows.last().is_none_or(|row| row.implementation != implementation) {
                    screen::say(Mark::Note, &format!("{} with {implementation} {place}", lesson.full_name()));
                    rows.push(Row::new(&kernel.name, implementation, started.ready));
                }
            }
            Happening::Output(Stream::Stdout, bytes) => screen::answer(bytes)?,
            Happening::Output(Stream::Stderr, bytes) => screen::pass_on_errors(bytes),
            Happening::Ended(_, report) => {
                if let Some(row) = rows.last_mut() {
                    row.step_ended(&report.outcome, report.duration);
                }
            }
        }
        Ok(())
    });
    match ended {
        Ok(_) if started.guest.was_asked_to_stop() && !options.follow => {
            return Err(Interrupted(INTERRUPT).into());
        }
        Ok(report) if !report.left_behind.is_empty() => {
            let why = format!("it left behind: {}", report.left_behind.join(", "));
            last_row(&mut rows, script, kernel, started.ready).fail(why, Exit::NotYet);
        }
        Ok(report) if report.complaints.is_empty() => {}
        Ok(report) => {
            let why = format!("the kernel complained: {}", report.complaints.join("; "));
            last_row(&mut rows, script, kernel, started.ready).fail(why, Exit::NotYet);
        }
        Err(Failure::Died(death)) => {
            screen::note(&vm::last_words(&death));
            last_row(&mut rows, script, kernel, started.ready).fail(death.to_string(), blame(&death));
        }
        Err(failure) => return Err(failure.into_error()),
    }
    Ok(rows)
}

/// The row of the step that ran last, or of the one that never started.
fn last_row<'a>(rows: &'a mut Vec<Row>, script: &Script, kernel: &Kernel, boot: Duration) -> &'a mut Row {
    if rows.is_empty() {
        rows.push(Row::new(&kernel.name, script.implementations[0], boot));
    }
    let last = rows.len() - 1;
    &mut rows[last]
}

/// A QEMU that was ended from outside is not the lesson's fault.
fn blame(death: &Death) -> Exit {
    if death.qemu_failed.is_some() { Exit::MachineNotReady } else { Exit::NotYet }
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
    format!("on Linux {} in a VM, {how} in {} ({why})", started.release, seconds(started.ready))
}

fn conclude(
    lessons: &[Lesson],
    lesson: &Lesson,
    options: &Run,
    rows: &[Row],
    build: Duration,
) -> Result<Exit> {
    if options.kernel == "all" {
        screen::verdict(row::table(rows).as_bytes())?;
    }
    let mut failed = rows.iter().filter_map(|row| Some((row, row.failure.as_ref()?))).peekable();
    if let Some((row, _)) = failed.peek() {
        let kernel = if options.kernel == "all" { &row.kernel } else { &options.kernel };
        let hint = format!("look around in that VM: cargo xtask shell --kernel {kernel}");
        for (row, failure) in failed {
            screen::say(Mark::Bad, &format!("{} on {}: {}", row.implementation, row.kernel, failure.why));
        }
        screen::note(&hint);
        return Ok(row::exit(rows));
    }
    let ran: Duration = rows.iter().map(|row| row.lesson).sum();
    let ready = rows.first().map_or(Duration::ZERO, |row| row.ready);
    let times = format!("done: build {}, VM {}, lesson {}", seconds(build), seconds(ready), seconds(ran));
    screen::say(Mark::Good, if options.kernel == "all" { "done" } else { &times });
    screen::note(&format!("next: {}", next_command(lessons, lesson, options)));
    Ok(Exit::Done)
}

/// From one implementation to both, from one kernel to all, then to the next lesson.
fn next_command(lessons: &[Lesson], lesson: &Lesson, options: &Run) -> String {
    let number = &lesson.number;
    if options.implementation.implementations() == [Implementation::Aya] && options.kernel == DEFAULT {
        return format!("cargo xtask run {number} --impl libbpf    (the same with the kernel side in C)");
    }
    if options.kernel != "all" {
        return format!("cargo xtask run {number} --impl both --kernel all");
    }
    match lessons.iter().find(|other| other.number > lesson.number) {
        Some(following) => format!("cargo xtask run {}", following.number),
        None => "cargo xtask shell    (look around in the VM)".to_owned(),
    }
}
