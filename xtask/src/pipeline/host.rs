//! Lessons on this machine's own kernel, and their steps that need no kernel at all.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use course::Implementation;
use course::catalog::{Lesson, StepPlace};
use kernel::Architecture;
use problem::{Exit, Problem};
use processes::{Foreground, Interrupted};

use crate::output::screen::{self, Mark};
use crate::pipeline::{build, demo, needs};

/// Exit status by which a lesson's program says that this machine cannot run it.
const NOT_READY: i32 = 3;

/// Runs the steps that need neither root nor a kernel of their own. Returns whether all went well.
pub fn run_unprivileged(
    lesson: &Lesson,
    program: &Path,
    implementations: &[Implementation],
) -> Result<bool> {
    for &implementation in implementations {
        screen::show_marked(
            Mark::Note,
            &format!("{} with {implementation}, here, as you", lesson.full_name()),
        );
        for demo in lesson
            .about
            .demo
            .iter()
            .filter(|demo| demo.place == StepPlace::Here)
        {
            if run_program(program, &demo::arguments_of(implementation, &demo.args))? != Exit::Done
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// `run --host`
pub fn run_on_host(
    lesson: &Lesson,
    implementations: &[Implementation],
    arguments: &[String],
    follow: bool,
) -> Result<Exit> {
    needs::ensure_needs(&needs::BUILD_NEEDS)?;
    let program = build::build_lesson(lesson, Architecture::HOST)?;
    let steps = steps(lesson, arguments, follow);
    if !nix::unistd::geteuid().is_root() {
        return Err(needs_root(lesson, &program, implementations, &steps).into());
    }
    let release = kernel::running_release();
    let mut exit = Exit::Done;
    for &implementation in implementations {
        let place = format!("on Linux {release}, this machine's own kernel");
        screen::show_marked(
            Mark::Note,
            &format!("{} with {implementation} {place}", lesson.full_name()),
        );
        for arguments in &steps {
            let ended = run_program(&program, &demo::arguments_of(implementation, arguments))?;
            exit = if exit == Exit::Done { ended } else { exit };
        }
    }
    if exit == Exit::Done {
        screen::show_marked(Mark::Good, "done");
    } else {
        screen::show_note(&format!(
            "in a VM instead: cargo xtask run {}",
            lesson.number
        ));
    }
    Ok(exit)
}

fn steps(lesson: &Lesson, arguments: &[String], follow: bool) -> Vec<Vec<String>> {
    if !arguments.is_empty() {
        return vec![arguments.to_vec()];
    }
    lesson
        .about
        .demo
        .iter()
        .map(|demo| demo::arguments_of_demo(demo, follow))
        .collect()
}

fn needs_root(
    lesson: &Lesson,
    program: &Path,
    implementations: &[Implementation],
    steps: &[Vec<String>],
) -> Problem {
    let mut problem =
        Problem::machine("loading eBPF programs into this machine's own kernel needs root");
    for &implementation in implementations {
        for arguments in steps {
            let arguments = demo::arguments_of(implementation, arguments).join(" ");
            problem = problem.help(format!("sudo {} {arguments}", program.display()));
        }
    }
    problem.help(format!(
        "or in a VM, without root: cargo xtask run {}",
        lesson.number
    ))
}

/// Runs the lesson's program on this machine, with our own standard streams.
fn run_program(program: &Path, arguments: &[String]) -> Result<Exit> {
    let mut command = Command::new(program);
    command.args(arguments);
    let (status, signal) = Foreground::start_command(command)?.wait_for_exit()?;
    match (status.code(), signal) {
        // What would come next is not wanted.
        (_, Some(signal)) => Err(Interrupted(signal).into()),
        (Some(0), _) => Ok(Exit::Done),
        (Some(NOT_READY), _) => Ok(Exit::MachineNotReady),
        _ => Ok(Exit::NotYet),
    }
}
