//! `run`: a lesson with its demo, on kernels in VMs or on this machine's own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plan::Outcome;

use crate::catalog::{self, Implementation, Lesson, Place};
use crate::cli::Run;
use crate::demo::{self, Script};
use crate::kernel::{DEFAULT, Kernel};
use crate::problem::{Exit, Problem};
use crate::screen::{self, Mark};
use crate::selection::Selection;
use crate::vm::{self, Accel, Failure, Happening, Started, Stream};
use crate::{build, interrupt, setup};

pub fn run(options: &Run) -> Result<Exit> {
    let lessons = catalog::lessons()?;
    let lesson = catalog::find(&lessons, &options.lesson)?;
    let selection = Selection::parse(&options.kernel)?;
    if options.host {
        return run_on_host(lesson, options);
    }
    // Wrong before long set-up: a file that is no kernel.
    if let Selection::File(_) = selection {
        selection.kernels()?;
    }
    let shows_here =
        options.args.is_empty() && lesson.about.demo.iter().any(|demo| demo.place == Place::Here);
    let vm_needs: Vec<_> = demo::VM_NEEDS.into_iter().chain(selection.needs()).collect();
    if !shows_here {
        setup::ensure(&[&demo::BUILD_NEEDS[..], &vm_needs].concat())?;
    }
    setup::ensure(&demo::BUILD_NEEDS)?;
    let begin = Instant::now();
    let program = build::lesson(lesson)?;
    let build = begin.elapsed();
    if shows_here && !run_here(lesson, &program, options.implementation.implementations())? {
        return Ok(Exit::NotYet);
    }
    setup::ensure(&vm_needs)?;
    let rows = run_on_kernels(lesson, &program, &selection.kernels()?, options)?;
    conclude(&lessons, lesson, options, &rows, build)
}

/// What `--kernel all` ends with: one implementation on one kernel.
struct Row {
    kernel: String,
    implementation: Implementation,
    /// `None`: it did what it should.
    failure: Option<String>,
    boot: Duration,
    lesson: Duration,
}

fn script(lesson: &Lesson, options: &Run) -> Script {
    let implementations = options.implementation.implementations();
    if !options.args.is_empty() {
        return Script::of_arguments(lesson, &implementations, &options.args);
    }
    let mut script = Script::of_demo(lesson, &implementations, |place| place == Place::Kernel);
    if options.follow {
        for step in &mut script.plan.steps {
            step.args.push("--follow".to_owned());
            step.seconds = None;
            step.output_limit = None;
        }
    }
    script
}

/// Runs the steps that need no kernel of their own. Returns whether all went well.
fn run_here(lesson: &Lesson, program: &Path, implementations: Vec<Implementation>) -> Result<bool> {
    for implementation in implementations {
        screen::say(Mark::Note, &format!("{} with {implementation}, here, as you", lesson.full_name()));
        for demo in lesson.about.demo.iter().filter(|demo| demo.place == Place::Here) {
            if !run_program(program, &demo::arguments_of(implementation, &demo.args))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Runs the lesson's program on this machine, with our own standard streams.
fn run_program(program: &Path, arguments: &[String]) -> Result<bool> {
    // Ctrl-C reaches the program through the terminal; we wait for it to detach and end.
    let _listening = interrupt::listen(|_| {});
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.success())
}

fn run_on_host(lesson: &Lesson, options: &Run) -> Result<Exit> {
    setup::ensure(&demo::BUILD_NEEDS)?;
    let program = build::lesson(lesson)?;
    let implementations = options.implementation.implementations();
    if !rustix::process::geteuid().is_root() {
        let arguments = demo::arguments_of(implementations[0], &["--demo".to_owned()]).join(" ");
        return Err(Problem::machine("loading eBPF programs into this machine's own kernel needs root")
            .help(format!("sudo {} {arguments}", program.display()))
            .help(format!("or in a VM, without root: cargo xtask run {}", lesson.number))
            .into());
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut all_well = true;
    for implementation in implementations {
        screen::say(
            Mark::Note,
            &format!(
                "{} with {implementation} on Linux {release}, this machine's own kernel",
                lesson.full_name()
            ),
        );
        let steps = match options.args.as_slice() {
            [] => lesson.about.demo.iter().map(|demo| demo.args.clone()).collect(),
            arguments => vec![arguments.to_vec()],
        };
        for mut arguments in steps {
            if options.follow {
                arguments.push("--follow".to_owned());
            }
            all_well &= run_program(&program, &demo::arguments_of(implementation, &arguments))?;
        }
    }
    Ok(if all_well { Exit::Done } else { Exit::NotYet })
}

fn run_on_kernels(lesson: &Lesson, program: &Path, kernels: &[Kernel], options: &Run) -> Result<Vec<Row>> {
    let initramfs = demo::initramfs(&[program])?;
    let script = script(lesson, options);
    let mut rows = Vec::new();
    for kernel in kernels {
        let machine = demo::machine(kernel)?;
        let mut started = vm::start(&machine, &initramfs).map_err(Failure::into_error)?;
        rows.extend(perform(lesson, &script, kernel, &mut started)?);
        if started.guest.was_asked_to_stop() {
            break;
        }
    }
    Ok(rows)
}

/// Runs the script in a guest and streams what it prints.
fn perform(lesson: &Lesson, script: &Script, kernel: &Kernel, started: &mut Started) -> Result<Vec<Row>> {
    let place = where_it_runs(started);
    let mut rows: Vec<Row> = Vec::new();
    let happened = started.guest.run(&script.plan, |happening| {
        match happening {
            Happening::Started(index) => {
                let implementation = script.implementations[index];
                if rows.last().is_none_or(|row| row.implementation != implementation) {
                    screen::say(Mark::Note, &format!("{} with {implementation} {place}", lesson.full_name()));
                    rows.push(Row {
                        kernel: kernel.name.clone(),
                        implementation,
                        failure: None,
                        boot: started.boot,
                        lesson: Duration::ZERO,
                    });
                }
            }
            Happening::Output(Stream::Stdout, bytes) => screen::answer(bytes)?,
            Happening::Output(Stream::Stderr, bytes) => {
                screen::note(String::from_utf8_lossy(bytes).trim_end())
            }
            Happening::Ended(_, report) => {
                if let Some(row) = rows.last_mut() {
                    row.lesson += report.duration;
                    row.failure = row.failure.take().or_else(|| explain(&report.outcome));
                }
            }
        }
        Ok(())
    });
    match happened {
        Ok(report) if report.complaints.is_empty() => {}
        Ok(report) => fail(&mut rows, &format!("the kernel complained: {}", report.complaints.join("; "))),
        Err(Failure::Died(death)) => {
            screen::note(&vm::last_words(&death));
            fail(&mut rows, &death.why);
        }
        Err(failure) => return Err(failure.into_error()),
    }
    Ok(rows)
}

fn where_it_runs(started: &Started) -> String {
    let how = match started.accel {
        Accel::Kvm => "with KVM",
        // `doctor` says why.
        Accel::Tcg => "emulated: no usable KVM here",
    };
    let retries: String =
        started.failed_boots.iter().map(|why| format!("; a boot before failed: {why}")).collect();
    format!("on Linux {} in a VM, booted in {} ({how}{retries})", started.release, seconds(started.boot))
}

/// What went wrong with a step, for a person.
fn explain(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Exited(0) => None,
        Outcome::Exited(code) => Some(format!("it ended with exit status {code}")),
        Outcome::Killed(signal) => Some(format!("signal {signal} ended it")),
        Outcome::TimedOut => Some("it was ended at its time limit".to_owned()),
        Outcome::Flooded => Some("it was ended because it printed too much".to_owned()),
        Outcome::NotStarted(why) => Some(why.clone()),
    }
}

fn fail(rows: &mut [Row], why: &str) {
    if let Some(row) = rows.last_mut() {
        row.failure.get_or_insert_with(|| why.to_owned());
    }
}

fn conclude(
    lessons: &[Lesson],
    lesson: &Lesson,
    options: &Run,
    rows: &[Row],
    build: Duration,
) -> Result<Exit> {
    if options.kernel == "all" {
        screen::answer(table(rows).as_bytes())?;
    }
    for row in rows.iter() {
        if let Some(why) = &row.failure {
            screen::say(Mark::Bad, &format!("{} on {}: {why}", row.implementation, row.kernel));
        }
    }
    if rows.iter().any(|row| row.failure.is_some()) {
        screen::note(&format!(
            "look around in that VM: cargo xtask shell --kernel {}",
            options.kernel_for_shell()
        ));
        return Ok(Exit::NotYet);
    }
    if let [row, ..] = rows {
        let ran: Duration = rows.iter().map(|row| row.lesson).sum();
        let times = format!("build {}, boot {}, lesson {}", seconds(build), seconds(row.boot), seconds(ran));
        screen::say(
            Mark::Good,
            &if options.kernel == "all" { "done".to_owned() } else { format!("done: {times}") },
        );
    }
    screen::note(&format!("next: {}", next_command(lessons, lesson, options)));
    Ok(Exit::Done)
}

impl Run {
    /// `all` names no kernel that a shell could have.
    fn kernel_for_shell(&self) -> &str {
        if self.kernel == "all" { DEFAULT } else { &self.kernel }
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from("\nkernel  impl    result  boot   lesson\n");
    for row in rows {
        let result = if row.failure.is_none() { "ok" } else { "FAILED" };
        table += &format!(
            "{:<7} {:<7} {result:<7} {:<6} {}\n",
            row.kernel,
            row.implementation,
            seconds(row.boot),
            seconds(row.lesson)
        );
    }
    table
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// From one implementation to both, from one kernel to all, then to the next lesson.
fn next_command(lessons: &[Lesson], lesson: &Lesson, options: &Run) -> String {
    let number = &lesson.number;
    if options.implementation.implementations() == [Implementation::Aya] && options.kernel != "all" {
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
