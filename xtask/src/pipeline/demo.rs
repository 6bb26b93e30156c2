//! A lesson's demo as a plan for the VM.

use std::path::Path;

use anyhow::{Context, Result};
use checkout::workspace;
use course::Implementation;
use course::catalog::{Demo, Lesson, StepPlace};
use kernel::Kernel;
use plan::{Plan, Step};
use requirements::qemu;
use testvm::image::{self, Archive};
use testvm::{Cmpxchg16b, Machine, Programs, VmClock};

use crate::pipeline::guest_init;
use crate::pipeline::memory::DEFAULT_MIB;

/// Bytes that one step may print. A serial line carries them in about a quarter of a minute.
const OUTPUT_LIMIT: u64 = 8 << 20;

/// Steps of one lesson, and which implementation each belongs to.
pub struct Script {
    pub plan: Plan,
    pub implementations: Vec<Implementation>,
}

impl Script {
    /// The demo steps for which `wanted` holds, with each implementation in turn.
    pub fn of_demo(
        lesson: &Lesson,
        implementations: &[Implementation],
        wanted: impl Fn(StepPlace) -> bool,
    ) -> Self {
        let demos: Vec<&Demo> = lesson
            .about
            .demo
            .iter()
            .filter(|demo| wanted(demo.place))
            .collect();
        let mut script = Self {
            plan: Plan::default(),
            implementations: Vec::new(),
        };
        for &implementation in implementations {
            for demo in &demos {
                script.add(implementation, step(lesson, implementation, &demo.args));
            }
        }
        script
    }

    /// One step an implementation, with arguments of the user's; it ends when the user or the
    /// program ends it.
    pub fn of_arguments(
        lesson: &Lesson,
        implementations: &[Implementation],
        arguments: &[String],
    ) -> Self {
        let mut script = Self {
            plan: Plan::default(),
            implementations: Vec::new(),
        };
        for &implementation in implementations {
            let step = step(lesson, implementation, arguments);
            script.add(
                implementation,
                Step {
                    seconds: None,
                    output_limit: None,
                    ..step
                },
            );
        }
        script
    }

    /// What `run` is asked to do on a kernel: the demo, or the program with the user's arguments.
    /// With `follow`, the lesson goes on after its demo.
    pub fn of_run(
        lesson: &Lesson,
        implementations: &[Implementation],
        arguments: &[String],
        follow: bool,
    ) -> Self {
        if !arguments.is_empty() {
            return Self::of_arguments(lesson, implementations, arguments);
        }
        let mut script = Self::of_demo(lesson, implementations, |place| place == StepPlace::Kernel);
        if follow {
            let demos = lesson
                .about
                .demo
                .iter()
                .filter(|demo| demo.place == StepPlace::Kernel);
            for (step, demo) in script.plan.steps.iter_mut().zip(demos) {
                let arguments = arguments_of_demo(demo, true);
                *step = Step {
                    args: arguments_of(implementations[0], &arguments),
                    seconds: None,
                    output_limit: None,
                    ..step.clone()
                };
            }
        }
        script
    }

    fn add(&mut self, implementation: Implementation, step: Step) {
        self.plan.steps.push(step);
        self.implementations.push(implementation);
    }
}

fn step(lesson: &Lesson, implementation: Implementation, arguments: &[String]) -> Step {
    Step {
        program: format!("/bin/{}", lesson.name),
        args: arguments_of(implementation, arguments),
        env: Vec::new(),
        seconds: Some(lesson.about.seconds),
        output_limit: Some(OUTPUT_LIMIT),
        terminal: None,
        observe: false,
        surroundings: None,
    }
}

/// The arguments of a step of the demo.
pub fn arguments_of_demo(demo: &Demo, follow: bool) -> Vec<String> {
    let goes_on = (follow && demo.follow).then(|| "--follow".to_owned());
    demo.args.iter().cloned().chain(goes_on).collect()
}

/// Every lesson's program takes `--impl`.
pub fn arguments_of(implementation: Implementation, arguments: &[String]) -> Vec<String> {
    let chosen = ["--impl".to_owned(), implementation.to_string()];
    chosen
        .into_iter()
        .chain(arguments.iter().cloned())
        .collect()
}

/// These programs with their libraries, for a guest.
pub fn pack_programs(programs: &[&Path]) -> Result<Programs> {
    collect_programs(programs)?.finish_archive()
}

pub fn collect_programs(programs: &[&Path]) -> Result<Archive> {
    let mut archive = Archive::default();
    for program in programs {
        image::add_program(&mut archive, program)?;
    }
    Ok(archive)
}

/// The VM that boots this kernel.
pub fn describe_machine(kernel: &Kernel) -> Result<Machine> {
    let qemu = qemu::find_qemu(kernel.architecture).context("QEMU is gone")?;
    let cmpxchg16b = Cmpxchg16b::choose_cmpxchg16b(
        qemu::checked_version(kernel.architecture).as_deref(),
        &kernel.release,
    );
    let architecture = kernel.architecture;
    let (kernel, modules) = (kernel.image.clone(), kernel.modules.clone());
    Ok(Machine {
        architecture,
        qemu,
        kernel,
        modules,
        init: guest_init::build_guest_init,
        state: workspace::own_cache(),
        memory_mib: DEFAULT_MIB,
        clock: VmClock::Host,
        cmpxchg16b,
        sandbox: qemu::uses_sandbox(architecture),
    })
}

#[cfg(test)]
mod tests {
    use course::catalog;

    use super::*;

    #[test]
    fn each_implementation_runs_the_whole_demo_with_limits() {
        let lessons = catalog::read_lessons().unwrap();
        let lesson = catalog::find_lesson(&lessons, "01").unwrap();
        let script = Script::of_demo(lesson, &Implementation::ALL, |place| {
            place == StepPlace::Kernel
        });
        assert_eq!(script.implementations, Implementation::ALL);
        assert_eq!(script.plan.steps[1].args, ["--impl", "libbpf", "--demo"]);
        assert!(
            script
                .plan
                .steps
                .iter()
                .all(|step| step.seconds.is_some() && step.output_limit.is_some())
        );
    }

    #[test]
    fn the_users_own_arguments_run_without_limits() {
        let lessons = catalog::read_lessons().unwrap();
        let lesson = catalog::find_lesson(&lessons, "01").unwrap();
        let script = Script::of_arguments(lesson, &[Implementation::Aya], &["--help".to_owned()]);
        assert_eq!(script.plan.steps.len(), 1);
        assert_eq!(script.plan.steps[0].args, ["--impl", "aya", "--help"]);
        assert_eq!(script.plan.steps[0].seconds, None);
    }
}
