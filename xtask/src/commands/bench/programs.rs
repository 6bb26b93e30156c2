//! Runs the demos of both implementations in turn, in one VM, and gathers what their programs cost.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use course::Implementation;
use course::catalog::{self, Lesson};
use kernel::{Architecture, Kernel};
use plan::ProgramInfo;
use problem::{Exit, Problem};
use processes::Interrupted;
use signal_hook::consts::SIGINT;
use testvm::{Failure, Guest, Happening, Machine, PlanReport, Stream, VmClock};

use super::cost::{self, Cost};
use super::own::{self, BenchPlace};
use super::rounds::measure_in_turn;
use super::table;
use crate::output::row::{Failed, Row};
use crate::output::screen::{self, Mark};
use crate::pipeline::demo::{self, Script};
use crate::pipeline::lesson_kernels::choose_kernels;
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, needs};

/// The measurement of one lesson, built for one architecture.
struct Measurement<'a> {
    lesson: &'a Lesson,
    architecture: Architecture,
    program: &'a Path,
    rounds: u16,
    json: bool,
}

pub fn measure_programs(
    lesson: Option<&str>,
    selection: &Selection,
    architectures: &[Architecture],
    rounds: u16,
    json: bool,
) -> Result<Exit> {
    let lessons = catalog::read_lessons()?;
    let wanted = lesson
        .map(|name| catalog::find_lesson(&lessons, name))
        .transpose()?;
    let kernels = needs::ensure_kernels(selection, architectures)?;
    let mut exit = Exit::Done;
    for lesson in wanted.map_or(lessons.iter().collect(), |lesson| vec![lesson]) {
        for of_one in kernels.chunk_by(|one, next| one.architecture == next.architecture) {
            let kernels = match choose_kernels("bench", lesson, of_one.to_vec()) {
                Err(problem) if wanted.is_none() => {
                    screen::show_note(&format!("left out: {problem}"));
                    continue;
                }
                kernels => kernels?,
            };
            let architecture = kernels[0].architecture;
            let measured = Measurement {
                lesson,
                architecture,
                program: &build::build_lesson(lesson, architecture)?,
                rounds,
                json,
            }
            .on_kernels(&kernels)?;
            exit = if exit == Exit::Done { measured } else { exit };
        }
    }
    Ok(exit)
}

impl Measurement<'_> {
    /// A lesson that fails on one kernel may be measured on the next one.
    fn on_kernels(&self, kernels: &[Kernel]) -> Result<Exit> {
        let measured_here = self.own_here()?;
        let mut exit = Exit::Done;
        for kernel in kernels {
            if let Err(error) = self.on(kernel, measured_here) {
                let problem = error.downcast::<Problem>()?;
                screen::show_marked(Mark::Bad, &problem.to_string());
                problem
                    .help_lines()
                    .iter()
                    .for_each(|line| screen::show_note(&format!("  help: {line}")));
                exit = problem.exit();
            }
        }
        Ok(exit)
    }

    fn on(&self, kernel: &Kernel, measured_here: bool) -> Result<()> {
        let name = self.lesson.full_name();
        screen::show_progress(&format!(
            "{name} on Linux {}: rounds: {}",
            kernel.release, self.rounds
        ));
        let programs = demo::pack_programs(&[self.program])?;
        let machine = Machine {
            clock: VmClock::Instructions,
            ..demo::describe_machine(kernel)?
        };
        let mut started = testvm::start_guest(&machine, &programs).map_err(Failure::into_error)?;
        let pairs = cost::pair_costs(&measure_in_turn(self.rounds, |implementation| {
            self.round(&mut started.guest, implementation, kernel)
        })?);
        let heading = table::Heading {
            lesson: &name,
            architecture: self.architecture,
            release: &started.release,
            rounds: self.rounds,
        };
        let text = if self.json {
            table::as_json(&heading, &pairs)?
        } else {
            table::as_text(&heading, &pairs)
        };
        screen::write_answer(text.as_bytes())?;
        if measured_here || self.lesson.about.bench.is_empty() {
            return Ok(());
        }
        let arguments = own::bench_arguments(self.lesson);
        let cases = own::measure_cases(self.rounds, |implementation| {
            let script = Script::of_arguments(self.lesson, &[implementation], &arguments);
            let (_, printed) = self.perform(&mut started.guest, script, kernel)?;
            Ok(printed)
        })?;
        own::show_cases(
            &name,
            BenchPlace::Vm(&started.release, self.architecture),
            &cases,
            self.json,
        )
    }

    /// Measures on this machine's own kernel, where time means something. Returns whether it could.
    fn own_here(&self) -> Result<bool> {
        let is_foreign = self.architecture != Architecture::HOST;
        if self.lesson.about.bench.is_empty() || is_foreign {
            return Ok(false);
        }
        let name = self.lesson.full_name();
        match own::measure_cases(self.rounds, |implementation| {
            own::run_here(self.lesson, self.program, implementation)
        }) {
            Ok(cases) => own::show_cases(&name, BenchPlace::Here, &cases, self.json).map(|()| true),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(error) => {
                screen::show_progress(&format!(
                    "{name} cannot be measured on this machine's own kernel: {error:#}"
                ));
                Ok(false)
            }
        }
    }

    fn round(
        &self,
        guest: &mut Guest,
        implementation: Implementation,
        kernel: &Kernel,
    ) -> Result<Vec<Cost>> {
        let on_a_kernel = |place| place == catalog::StepPlace::Kernel;
        let mut script = Script::of_demo(self.lesson, &[implementation], on_a_kernel);
        script
            .plan
            .steps
            .iter_mut()
            .for_each(|step| step.observe = true);
        let (report, _) = self.perform(guest, script, kernel)?;
        Ok(cost::of_round(&observed(report)?))
    }

    /// Runs a script that must succeed; returns also what it printed.
    fn perform(
        &self,
        guest: &mut Guest,
        script: Script,
        kernel: &Kernel,
    ) -> Result<(PlanReport, Vec<u8>)> {
        let mut printed = Vec::new();
        let report = guest.run_plan(&script.plan, |happening| {
            if let Happening::Output(Stream::Stdout, bytes) = happening {
                printed.extend_from_slice(bytes);
            }
            Ok(())
        });
        let report = report.map_err(Failure::into_error)?;
        if guest.was_asked_to_stop() {
            return Err(Interrupted(SIGINT).into());
        }
        let mut row = Row::new(kernel, script.implementations[0], Duration::ZERO);
        report
            .steps
            .iter()
            .for_each(|step| row.step_ended(&step.outcome, step.duration));
        if !report.left_behind.is_empty() {
            row.record_failure(
                format!("it left behind: {}", report.left_behind.join(", ")),
                Exit::NotYet,
            );
        }
        row.failure.take().map_or(Ok((report, printed)), |failed| {
            Err(self.problem(&row, failed).into())
        })
    }

    fn problem(
        &self,
        Row {
            kernel,
            architecture,
            implementation,
            ..
        }: &Row,
        Failed { why, exit }: Failed,
    ) -> Problem {
        let Lesson { number, .. } = self.lesson;
        Problem::new(
            exit,
            format!(
                "{} with {implementation} on {kernel}: {why}",
                self.lesson.full_name()
            ),
        )
        .help(format!(
            "cargo xtask run {number}{} --impl {implementation} --kernel {kernel}",
            architecture.option()
        ))
    }
}

/// What all steps loaded.
fn observed(report: PlanReport) -> Result<Vec<ProgramInfo>> {
    let mut programs = Vec::new();
    for step in report.steps {
        let observed = step
            .observed
            .unwrap_or_else(|| Err("the guest reported nothing about it".to_owned()));
        let observed = observed.map_err(|why| anyhow!("cannot observe what is loaded: {why}"))?;
        if observed.missed > 0 {
            screen::show_progress(&format!(
                "{} programs were gone before they could be looked at",
                observed.missed
            ));
        }
        programs.extend(observed.programs);
    }
    Ok(programs)
}
