//! `shell`: a prompt inside the VM, on the user's own terminal.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use course::Implementation;
use course::catalog::{self, Lesson};
use kernel::{Architecture, Kernel};
use plan::{Outcome, Plan, Size, Step};
use problem::{Exit, Problem};
use requirements::GuestTools;
use testvm::{Failure, Happening, Programs, Started, Stream, image};

use crate::output::screen::{self, Mark};
use crate::output::terminal::read_terminal_size;
use crate::pipeline::conversation::has_terminal;
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, conversation, demo, needs};

/// Where the commands that came from standard input are in the guest.
const SCRIPT: &str = "etc/script";

/// The kernel to boot, and what the lessons' programs use.
pub struct ShellOptions {
    pub kernel: Selection,
    /// What the kernel and the programs are for.
    pub architecture: Architecture,
    pub implementation: Implementation,
}

pub fn open_shell(options: &ShellOptions) -> Result<Exit> {
    if options.kernel.is_several() {
        return Err(Problem::usage("a shell has one kernel")
            .help("cargo xtask shell --kernel 6.12")
            .into());
    }
    let architecture = options.architecture;
    let kernel = prepare_kernel(&options.kernel, architecture)?;
    let terminal = has_terminal();
    let script = if terminal { None } else { Some(read_script()?) };
    let lessons = catalog::read_lessons()?;
    let programs = lessons
        .iter()
        .map(|lesson| build::build_lesson(lesson, architecture))
        .collect::<Result<Vec<_>>>()?;
    let files = files(
        architecture,
        &programs,
        &profile(&lessons, options.implementation),
        script.as_deref(),
    )?;
    let started = start(&kernel, &files)?;
    if terminal {
        converse(started)
    } else {
        follow_script(started)
    }
}

/// `run --follow` on a terminal: the lesson goes on in the background of a prompt in the same VM.
/// Without one, there is no way to cause what it shows.
pub fn follow_lesson(
    lesson: &Lesson,
    implementation: Implementation,
    kernel: &Kernel,
) -> Result<Exit> {
    let architecture = kernel.architecture;
    let files = files(
        architecture,
        &[build::build_lesson(lesson, architecture)?],
        &profile_of_lesson(lesson, implementation),
        None,
    )?;
    converse(start(kernel, &files)?)
}

/// The kernel that was chosen, with all that a prompt in its VM needs.
pub fn prepare_kernel(selection: &Selection, architecture: Architecture) -> Result<Kernel> {
    selection.check_file(&[architecture])?;
    let kernel = selection.kernel_needs_on(architecture);
    needs::ensure_needs(&[needs::shell_needs(architecture), kernel].concat())?;
    selection
        .find_kernels_on(architecture)?
        .pop()
        .context("no kernel was chosen")
}

fn start(kernel: &Kernel, files: &Programs) -> Result<Started> {
    let started = testvm::start_guest(&demo::describe_machine(kernel)?, files)
        .map_err(Failure::into_error)?;
    announce(kernel, &started);
    Ok(started)
}

fn announce(kernel: &Kernel, started: &Started) {
    let text = format!(
        "Linux {} in a VM ({}{}), ready in {:.1} s",
        started.release,
        kernel.origin,
        architecture_note(kernel.architecture),
        started.ready.as_secs_f64()
    );
    screen::show_marked(Mark::Note, &text);
}

/// `, arm64: all of it emulated`
fn architecture_note(architecture: Architecture) -> String {
    match architecture {
        Architecture::HOST => String::new(),
        other => format!(", {other}: all of it emulated"),
    }
}

fn read_script() -> Result<Vec<u8>> {
    if io::stdin().is_terminal() {
        screen::show_note("standard output is no terminal: type the commands, then Ctrl-D");
    }
    let mut script = Vec::new();
    io::stdin()
        .read_to_end(&mut script)
        .context("cannot read commands from standard input")?;
    Ok(script)
}

/// What the guest gets.
fn files(
    architecture: Architecture,
    programs: &[PathBuf],
    profile: &str,
    script: Option<&[u8]>,
) -> Result<Programs> {
    let tools = GuestTools { architecture };
    let programs: Vec<_> = programs.iter().map(AsRef::as_ref).collect();
    let mut archive = demo::collect_programs(&programs)?;
    image::add_tools(&mut archive, &tools.find_root()?)?;
    archive.add_file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n")?;
    archive.add_file("etc/group", 0o644, b"root:x:0:\n")?;
    archive.add_file("etc/profile", 0o644, profile.as_bytes())?;
    if let Some(script) = script {
        archive.add_file(SCRIPT, 0o755, script)?;
    }
    archive.finish_archive()
}

/// What the guest's shell reads first.
fn profile(lessons: &[Lesson], implementation: Implementation) -> String {
    let mut profile = String::from(PROFILE);
    // With the lessons' own default no alias is needed, and `--impl` can be typed: given twice, it
    // is refused.
    let chosen = lessons
        .iter()
        .filter(|_| implementation != Implementation::Aya);
    for lesson in chosen {
        profile += &format!("alias {0}='{0} --impl {implementation}'\n", lesson.name);
    }
    let names: Vec<_> = lessons.iter().map(|lesson| lesson.name.as_str()).collect();
    profile + &GREETING.replace("LESSONS", &names.join(", "))
}

/// The same for a prompt beside one lesson, which runs its demo first.
fn profile_of_lesson(lesson: &Lesson, implementation: Implementation) -> String {
    let demo = lesson.about.demo.iter().find(|demo| demo.follow);
    let arguments = demo
        .map(|demo| demo::arguments_of_demo(demo, true))
        .unwrap_or_default();
    let command = [
        vec![lesson.name.clone()],
        demo::arguments_of(implementation, &arguments),
    ]
    .concat();
    PROFILE.to_owned() + &BESIDE_LESSON.replace("LESSON", &command.join(" "))
}

fn shell_step(arguments: &[&str], terminal: Option<Size>) -> Step {
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
    Step {
        program: "/bin/busybox".to_owned(),
        args: arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect(),
        env: vec![("TERM".to_owned(), term)],
        seconds: None,
        output_limit: None,
        terminal,
        observe: false,
        surroundings: None,
    }
}

/// Runs the commands from standard input.
fn follow_script(mut started: Started) -> Result<Exit> {
    let script = format!(". /etc/profile; . /{SCRIPT}");
    let plan = Plan {
        steps: vec![shell_step(&["sh", "-c", &script], None)],
    };
    let report = started.guest.run_plan(&plan, |happening| {
        match happening {
            Happening::Output(Stream::Stdout, bytes) => screen::write_answer(bytes)?,
            Happening::Output(Stream::Stderr, bytes) => screen::pass_on_errors(bytes),
            Happening::Started(_) | Happening::Ended(..) => {}
        }
        Ok(())
    });
    let report = report.map_err(Failure::into_error)?;
    let succeeded = report.steps.iter().all(|step| step.outcome.succeeded());
    Ok(if succeeded { Exit::Done } else { Exit::NotYet })
}

/// Ties the user's terminal to a shell in the guest.
fn converse(mut started: Started) -> Result<Exit> {
    let raw = conversation::tie_terminal(&started.guest.keyboard())?;
    let plan = Plan {
        steps: vec![shell_step(&["sh", "-l"], Some(read_terminal_size()?))],
    };
    let report = started.guest.run_plan(&plan, |happening| {
        if let Happening::Output(_, bytes) = happening {
            screen::write_answer(bytes)?;
        }
        Ok(())
    });
    drop(raw);
    let report = report.map_err(Failure::into_error)?;
    if let Some(Outcome::NotStarted(why)) = report.steps.first().map(|step| &step.outcome) {
        bail!("the guest's shell did not start: {why}");
    }
    screen::show_note("the VM has ended; nothing of it is left");
    // The status of the last command that was typed says nothing about the session.
    Ok(Exit::Done)
}

const PROFILE: &str = "\
export PS1='linux \\W # '
";

/// The prompt comes when the lesson says that it waits. Only what the shell does itself: a program
/// that it executes here, or a file that it opens, is what a lesson may be showing.
const BESIDE_LESSON: &str = "\
mkfifo /tmp/lesson
LESSON >/tmp/lesson &
exec 3</tmp/lesson
while IFS= read -r line <&3; do
    case $line in *'in another terminal'*)
        printf '%s here; exit, or Ctrl-D, ends this and the VM\\n' \
            \"${line%% in another terminal*}\"
        break ;;
    esac
    printf '%s\\n' \"$line\"
done
while IFS= read -r line; do printf '%s\\n' \"$line\"; done <&3 &
exec 3<&-
trap 'kill -INT %1 && wait' EXIT
";

const GREETING: &str = "\
case $- in *i*)
cat <<'END'
Lessons:      LESSONS        (NAME --help says what each can do)
Background:   hello-kprobe &          fg, then Ctrl-C, ends it
Look inside:  bpftool prog    bpftool map    bpftool link    cat /proc/kallsyms | grep unlinkat
Trace:        cat /sys/kernel/tracing/trace_pipe
Leave:        exit, or Ctrl-D; Ctrl-] ends the VM at once
END
esac
";
