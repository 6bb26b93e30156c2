//! `bench run`: what a run costs beyond the boot of its kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use checkout::workspace;
use course::{Implementation, catalog};
use kernel::{Architecture, Kernel};
use plan::{Plan, Step};
use problem::Exit;
use serde::Serialize;
use tempfile::NamedTempFile;
use testvm::image::{self, Modules};
use testvm::{Accel, Failure, Machine, timeline};

use super::phases::{self, Phases};
use super::rounds::find_median;
use crate::output::screen;
use crate::pipeline::demo::{self, Script};
use crate::pipeline::selection::Selection;
use crate::pipeline::{bare_boot, build, guest_init, needs};

const ROUNDS: usize = 15;

/// The lesson that is measured.
const LESSON: &str = "01";

pub fn measure_whole_run(
    selection: &Selection,
    architectures: &[Architecture],
    json: bool,
) -> Result<Exit> {
    let kernels = needs::ensure_kernels(selection, architectures)?;
    let lessons = catalog::read_lessons()?;
    let lesson = catalog::find_lesson(&lessons, LESSON)?;
    let cargo = measure_cargo()?;
    for kernel in kernels {
        let architecture = kernel.architecture;
        let program = build::build_lesson(lesson, architecture)?;
        let kvm = testvm::find_kvm_state(&workspace::own_cache(), architecture)?;
        let accel = kvm.choose_accel();
        let machine = demo::describe_machine(&kernel)?;
        screen::show_progress(&format!(
            "{ROUNDS} rounds on Linux {}: a bare boot, then a whole run",
            kernel.release
        ));
        let sizes = Sizes::measure(&machine, &program, architecture)?;
        let (floor, whole, phases) = alternate(&machine, accel, &kernel)?;
        let programs = demo::pack_programs(&[&program])?;
        let (another_lesson, another_step) = measure_more(&machine, &programs, &lessons)?;
        let whole_run = WholeRun {
            release: &kernel.release,
            architecture,
            accel,
            floor,
            whole,
            phases,
            cargo,
            another_lesson,
            another_step,
            sizes,
        };
        let text = if json {
            whole_run.as_json()?
        } else {
            whole_run.as_text()
        };
        screen::write_answer(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Medians of a boot whose init ends the VM at once, and of `run` with everything built, measured
/// in turn: whatever else the machine does, it does to both.
fn alternate(
    machine: &Machine,
    accel: Accel,
    kernel: &Kernel,
) -> Result<(Duration, Duration, Phases)> {
    let initramfs = bare_boot::pack_initramfs(kernel.architecture)?;
    let (mut floors, mut wholes, mut phases) = (Vec::new(), Vec::new(), Vec::new());
    // The first of each fills the caches.
    for round in 0..=ROUNDS {
        let floor = testvm::time_shortest_vm(machine, accel, &initramfs)?;
        let (whole, phases_of_run) = time_of_run(accel, kernel)?;
        if round > 0 {
            floors.push(floor);
            wholes.push(whole);
            phases.push(phases_of_run);
        }
    }
    let (floor, whole) = both_medians(floors, wholes)?;
    Ok((floor, whole, Phases::find_medians(&phases)))
}

/// The command as a user types it, less cargo's own start.
fn time_of_run(accel: Accel, kernel: &Kernel) -> Result<(Duration, Phases)> {
    let program = own_program()?;
    let (name, architecture) = (&kernel.name, kernel.architecture.name());
    let timeline = NamedTempFile::new().context("cannot create a temporary file")?;
    let begin = timeline::now();
    let status = Command::new(program)
        .args(["run", LESSON, "--arch", architecture, "--kernel", name])
        .env(testvm::OVERRIDE, accel.name())
        .env(timeline::TIMELINE, timeline.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start this program again")?;
    let end = timeline::now();
    ensure!(
        status.success(),
        "run {LESSON} failed; see: cargo xtask run {LESSON} --arch {architecture} --kernel {name}"
    );
    let noted = fs::read_to_string(&timeline).context("cannot read the moments of a run")?;
    let mut moments = timeline::parse_timeline(&noted);
    moments.insert(0, (begin, phases::BEGIN));
    moments.push((end, phases::END));
    Ok((end.saturating_sub(begin), Phases::of_moments(&moments)))
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find this program's own path")
}

/// What cargo adds to a command of this program, when nothing has to be built.
fn measure_cargo() -> Result<Duration> {
    let time = |mut command: Command| -> Result<Duration> {
        let begin = Instant::now();
        let output = command.arg("--help").output();
        let output = output.context("cannot start this program again")?;
        ensure!(output.status.success(), "this program does not start again");
        Ok(begin.elapsed())
    };
    let program = own_program()?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut cargo = build::inner_cargo();
        cargo.arg("xtask");
        with.push(time(cargo)?);
        without.push(time(Command::new(&program))?);
    }
    let (with, without) = both_medians(with, without)?;
    Ok(with.saturating_sub(without))
}

/// The median cost of one more run of the lesson, and of one more step that does nothing, in a
/// booted VM.
fn measure_more(
    machine: &Machine,
    programs: &testvm::Programs,
    lessons: &[catalog::Lesson],
) -> Result<(Duration, Duration)> {
    let mut guest = testvm::start_guest(machine, programs)
        .map_err(Failure::into_error)?
        .guest;
    let lesson = Script::of_demo(
        catalog::find_lesson(lessons, LESSON)?,
        &[Implementation::Aya],
        |_| true,
    )
    .plan;
    let nothing = Step {
        args: vec!["--version".to_owned()],
        ..lesson.steps[0].clone()
    };
    let nothing = Plan {
        steps: vec![nothing],
    };
    let mut time = |plan: &Plan| -> Result<Duration> {
        let begin = Instant::now();
        let report = guest
            .run_plan(plan, |_| Ok(()))
            .map_err(Failure::into_error)?;
        ensure!(
            report.steps.iter().all(|step| step.outcome.succeeded()),
            "a step failed: {:?}",
            report.steps
        );
        Ok(begin.elapsed())
    };
    let lessons = (0..ROUNDS)
        .map(|_| time(&lesson))
        .collect::<Result<Vec<_>>>()?;
    let nothings = (0..ROUNDS)
        .map(|_| time(&nothing))
        .collect::<Result<Vec<_>>>()?;
    both_medians(lessons, nothings)
}

fn both_medians(one: Vec<Duration>, other: Vec<Duration>) -> Result<(Duration, Duration)> {
    find_median(one)
        .zip(find_median(other))
        .context("nothing was measured")
}

/// Bytes that every boot copies.
struct Sizes {
    base: usize,
    overlay: usize,
}

impl Sizes {
    fn measure(machine: &Machine, program: &Path, architecture: Architecture) -> Result<Self> {
        let base = image::pack_initramfs(
            &guest_init::build_guest_init(architecture)?,
            &Modules::find_modules(machine.modules.as_deref(), &image::MODULES),
            None,
        )?
        .len();
        Ok(Self {
            base,
            overlay: demo::pack_programs(&[program])?.len(),
        })
    }
}

/// What was measured on one kernel: medians, and sizes.
struct WholeRun<'a> {
    release: &'a str,
    architecture: Architecture,
    accel: Accel,
    floor: Duration,
    whole: Duration,
    phases: Phases,
    /// What it adds to a run; it is no part of `whole`.
    cargo: Duration,
    another_lesson: Duration,
    another_step: Duration,
    sizes: Sizes,
}

impl WholeRun<'_> {
    fn as_text(&self) -> String {
        format!(
            "Linux {}, {}; medians of {ROUNDS}
  bare boot, init ends the VM at once   {:.2} s
  run {LESSON}, everything built            {:.2} s, {:.2} times the bare boot
{}  cargo's start, before all that        {:.2} s
  one more lesson in a booted VM        {:.2} s
  one more empty step in a booted VM    {:.2} s
  image: base {:.1} MB, lesson {:.1} MB\n",
            self.release,
            match self.accel {
                Accel::Kvm => "with KVM",
                Accel::Tcg => "emulated",
            },
            self.floor.as_secs_f64(),
            self.whole.as_secs_f64(),
            self.whole.as_secs_f64() / self.floor.as_secs_f64(),
            self.phases.as_text(),
            self.cargo.as_secs_f64(),
            self.another_lesson.as_secs_f64(),
            self.another_step.as_secs_f64(),
            self.sizes.base as f64 / 1e6,
            self.sizes.overlay as f64 / 1e6,
        )
    }

    fn as_json(&self) -> Result<String> {
        let line = WholeRunJson {
            kernel: self.release,
            architecture: self.architecture,
            accelerator: self.accel.name(),
            rounds: ROUNDS,
            bare_boot_seconds: self.floor.as_secs_f64(),
            run_seconds: self.whole.as_secs_f64(),
            ratio: self.whole.as_secs_f64() / self.floor.as_secs_f64(),
            phases: self.phases.as_json(),
            cargo_seconds: self.cargo.as_secs_f64(),
            another_lesson_seconds: self.another_lesson.as_secs_f64(),
            another_step_seconds: self.another_step.as_secs_f64(),
            base_bytes: self.sizes.base,
            lesson_bytes: self.sizes.overlay,
        };
        Ok(serde_json::to_string(&line)? + "\n")
    }
}

/// A line of `bench run --json`; `bench run --help` tells the fields.
#[derive(Serialize)]
struct WholeRunJson<'a> {
    kernel: &'a str,
    architecture: Architecture,
    accelerator: &'a str,
    rounds: usize,
    bare_boot_seconds: f64,
    run_seconds: f64,
    ratio: f64,
    phases: serde_json::Map<String, serde_json::Value>,
    cargo_seconds: f64,
    another_lesson_seconds: f64,
    another_step_seconds: f64,
    base_bytes: usize,
    lesson_bytes: usize,
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let time = Duration::from_secs(1);
    let sizes = Sizes {
        base: 1,
        overlay: 1,
    };
    let whole_run = WholeRun {
        release: "6.12.1",
        architecture: Architecture::Amd64,
        accel: Accel::Tcg,
        floor: time,
        whole: time,
        phases: Phases::of_moments(&[]),
        cargo: time,
        another_lesson: time,
        another_step: time,
        sizes,
    };
    whole_run.as_json()
}
