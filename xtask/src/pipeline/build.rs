//! Calls cargo: for the lessons and for the guest's init.

use std::io::{BufRead, BufReader, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use checkout::environment;
use checkout::toolchain::HOST;
use checkout::workspace;
use course::catalog::Lesson;
use kernel::Architecture;
use problem::{Exit, Problem};
use processes::{Foreground, Interrupted};
use serde::Deserialize;

use crate::output::screen;
use crate::pipeline::cross_build;
use crate::pipeline::machine_fault::find_machine_fault;

/// Cargo with an environment in which it builds the same on every machine.
pub fn inner_cargo() -> Command {
    environment::inner_cargo()
}

/// Lets cargo compile eBPF programs in Rust, for kernels of this architecture, as aya-build
/// compiles those of the lessons. With the same flags and in the same directory, `core` and the
/// macros are compiled once for all of them.
pub fn set_ebpf_environment(cargo: &mut Command, architecture: Architecture) {
    let machine = architecture.machine();
    let flags = format!("--cfg=bpf_target_arch=\"{machine}\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf");
    cargo
        .env("CARGO_BUILD_BUILD_DIR", ebpf_directory())
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // Build scripts have it, and so has the cargo that aya-build starts in one. aya-ebpf, and
        // all that is built upon it, would be compiled again whenever it comes or goes.
        .env("HOST", HOST)
        // For `-Z build-std`, with a stable compiler.
        .env("RUSTC_BOOTSTRAP", "1");
}

/// Where cargo keeps what it builds eBPF programs from.
pub fn ebpf_directory() -> PathBuf {
    workspace::target_directory().join("ebpf")
}

/// Builds a lesson, both eBPF programs included; returns its program.
pub fn build_lesson(lesson: &Lesson, architecture: Architecture) -> Result<PathBuf> {
    run_lesson_build(
        build_cargo(&lesson.name),
        Stdio::null(),
        lesson,
        architecture,
    )
}

/// Builds a lesson; returns the directory in which its build script put the eBPF programs.
pub fn build_ebpf_of_lesson(lesson: &Lesson, architecture: Architecture) -> Result<PathBuf> {
    let mut messages = tempfile::tempfile().context("cannot create a temporary file")?;
    let stdout = messages.try_clone()?.into();
    let mut command = build_cargo(&lesson.name);
    command.arg("--message-format=json-render-diagnostics");
    run_lesson_build(command, stdout, lesson, architecture)?;
    messages.rewind()?;
    let directory = find_out_dir(BufReader::new(messages), &lesson.name)?;
    directory.with_context(|| format!("cargo named no build script of {}", lesson.full_name()))
}

/// The part of cargo's messages that says where a build script wrote to.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    out_dir: PathBuf,
}

/// The `OUT_DIR` of a package of this workspace. Cargo names it also if there was nothing to do.
fn find_out_dir(messages: impl BufRead, package: &str) -> Result<Option<PathBuf>> {
    let of_package = format!("#{package}@");
    for line in messages.lines() {
        let line = line.context("cannot read cargo's messages")?;
        let message: CargoMessage =
            serde_json::from_str(&line).context("cannot understand cargo's messages")?;
        let id = message.package_id;
        let is_wanted = id.starts_with("path+") && id.contains(&of_package);
        if is_wanted && message.reason == "build-script-executed" {
            return Ok(Some(message.out_dir));
        }
    }
    Ok(None)
}

fn run_lesson_build(
    mut command: Command,
    stdout: Stdio,
    lesson: &Lesson,
    architecture: Architecture,
) -> Result<PathBuf> {
    cross_build::set_target(&mut command, architecture);
    let program = lesson_program(lesson, architecture);
    announce_first_build(
        &program,
        &lesson.full_name(),
        "about a minute for the first lesson",
    );
    match run_cargo_to(stdout, command)? {
        Ended::Well => Ok(program),
        Ended::Badly => {
            let what = format!(
                "{} does not build; cargo's messages are above",
                lesson.full_name()
            );
            Err(Problem::new(Exit::NotYet, what).into())
        }
    }
}

/// Where the program of a lesson is when it has been built.
pub fn lesson_program(lesson: &Lesson, architecture: Architecture) -> PathBuf {
    built_program_for(&lesson.name, architecture)
}

/// Cargo, to build a program. It names no package: cargo unites the features that the selected
/// packages ask of their dependencies. With all default members selected, as by `cargo test`, the
/// lessons, tools and tests share one build of aya, libbpf and most others.
fn build_cargo(program: &str) -> Command {
    let mut command = inner_cargo();
    command.args(["build", "--bin", program]);
    command
}

/// Builds a program of the course's own that runs here, or in guests like this machine; returns it.
pub fn build_tool(name: &str) -> Result<PathBuf> {
    build_tool_for(name, Architecture::HOST)
}

/// The same for guests of this architecture.
pub fn build_tool_for(name: &str, architecture: Architecture) -> Result<PathBuf> {
    let mut command = build_cargo(name);
    cross_build::set_target(&mut command, architecture);
    let program = built_program_for(name, architecture);
    run_program_build(command, name, program, "about 40 s")
}

/// Cargo, to build a program that the default members do not have, with the features that they ask
/// of their dependencies.
pub fn build_quietly(program: &str) -> Command {
    let mut command = inner_cargo();
    command.args(["build", "--quiet", "--bin", program, "--workspace"]);
    command
}

/// Builds `xtask` as `cargo xtask` does: without downloading what others need.
pub fn build_xtask() -> Result<PathBuf> {
    let mut command = build_cargo("xtask");
    command.args(["--package", "xtask"]);
    run_program_build(command, "xtask", built_program("xtask"), "about 40 s")
}

/// Builds the judge of exercises that need no kernel: without aya and libbpf, and upon what `xtask`
/// was built from, so that it is there soon.
pub fn build_judge_here() -> Result<PathBuf> {
    let mut command = build_cargo("judge-here");
    command.args(["--package", "judge", "--package", "xtask"]);
    command.arg("--no-default-features");
    run_program_build(
        command,
        "judge-here",
        built_program("judge-here"),
        "about 10 s",
    )
}

fn run_program_build(
    command: Command,
    name: &str,
    program: PathBuf,
    time: &str,
) -> Result<PathBuf> {
    announce_first_build(&program, &format!("the program {name}"), time);
    match run_cargo(command)? {
        Ended::Well => Ok(program),
        Ended::Badly => Err(Problem::machine(format!(
            "{name} does not build; cargo's messages are above"
        ))
        .help("cargo xtask doctor")
        .into()),
    }
}

/// Where a program of the host is when it has been built.
pub fn built_program(name: &str) -> PathBuf {
    built_program_for(name, Architecture::HOST)
}

/// The same for one that runs on this architecture.
pub fn built_program_for(name: &str, architecture: Architecture) -> PathBuf {
    let target = workspace::target_directory();
    cross_build::output_directory(&target, architecture).join(name)
}

/// The guest has no libraries until a program brings them.
pub const INIT_FLAGS: &str = "-Ctarget-feature=+crt-static";
pub const INIT_PROFILE: &str = "guest";

/// Says what takes long and happens once. The time is that of two cores.
pub fn announce_first_build(result: &Path, what: &str, time: &str) {
    if let Some(announcement) = of_first_build(result, what, time) {
        screen::show_progress(&announcement);
    }
}

fn of_first_build(result: &Path, what: &str, time: &str) -> Option<String> {
    (!result.exists()).then(|| format!("building {what} (once, {time})"))
}

/// Builds the guest's init as one static file; returns it.
pub fn compile_guest_init(architecture: Architecture) -> Result<PathBuf> {
    let target = workspace::target_directory().join("guest");
    let built = target.join(architecture.rust_target()).join(INIT_PROFILE);
    match run_cargo(init_cargo(&target, architecture))? {
        Ended::Well => Ok(built.join("guest")),
        Ended::Badly => Err(Problem::machine(
            "the guest's init does not build; cargo's messages are above",
        )
        .help("cargo xtask doctor")
        .into()),
    }
}

/// The cargo that builds the init.
pub fn init_cargo(target: &Path, architecture: Architecture) -> Command {
    let mut command = inner_cargo();
    command
        .args([
            "build",
            "--package",
            "guest",
            "--profile",
            INIT_PROFILE,
            "--target",
            architecture.rust_target(),
        ])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_BUILD_BUILD_DIR", target)
        .env("CARGO_ENCODED_RUSTFLAGS", INIT_FLAGS);
    cross_build::set_cross_tools(&mut command, architecture);
    command
}

/// Runs cargo and shows what it says; returns whether it succeeded, and whether it lacked the
/// network.
fn run_cargo(command: Command) -> Result<Ended> {
    run_cargo_to(Stdio::null(), command)
}

fn run_cargo_to(stdout: Stdio, mut command: Command) -> Result<Ended> {
    command.stdout(stdout).stderr(Stdio::piped());
    let mut cargo = Foreground::start_command(command)?;
    let mut offline = false;
    let mut said = String::new();
    if let Some(stderr) = cargo.child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = line.context("cannot read cargo's output")?;
            let line = String::from_utf8_lossy(&line);
            offline |= OFFLINE.iter().any(|sign| line.contains(sign));
            said += &line;
            said.push('\n');
            if let Some(line) = worth_showing(&line) {
                screen::show_note(line);
            }
        }
    }
    match cargo.wait_for_exit()? {
        (_, Some(signal)) => Err(Interrupted(signal).into()),
        (status, None) if status.success() => Ok(Ended::Well),
        _ if offline => Err(Problem::machine(
            "cargo could not fetch what it needs; its messages are above",
        )
        .help("the first build needs the network; the next ones do not")
        .into()),
        (status, None) => match find_machine_fault(status, &said) {
            Some(problem) => Err(problem.into()),
            None => Ok(Ended::Badly),
        },
    }
}

enum Ended {
    Well,
    Badly,
}

/// What cargo says when it cannot reach its registry.
const OFFLINE: [&str; 3] = [
    "failed to download",
    "Could not resolve host",
    "failed to query replaced source",
];

/// Cargo shows what a build script's inner cargo said as warnings of the lesson, again at every
/// build. The messages of a compiler are kept, under their own name; the chatter goes.
fn worth_showing(line: &str) -> Option<&str> {
    let inner = line
        .strip_prefix("warning: ")
        .and_then(|rest| rest.split_once(": "));
    let (text, chatter) = match inner {
        Some((package, text)) if package.contains('@') => (text, &INNER_CHATTER[..]),
        _ => (line, &CHATTER[..]),
    };
    let first = text.trim_start();
    (!chatter.iter().any(|word| first.starts_with(word))).then_some(text)
}

const CHATTER: [&str; 2] = ["Finished ", "cargo:"];

const INNER_CHATTER: [&str; 8] = [
    "Compiling ",
    "Finished ",
    "Downloading ",
    "Downloaded ",
    "Updating ",
    "Locking ",
    "Adding ",
    "Blocking waiting",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{find_out_dir, of_first_build, worth_showing};

    #[test]
    fn the_directory_is_that_of_the_lessons_own_build_script() {
        let message = |reason: &str, id: &str, directory: &str| {
            let message = serde_json::json!({
                "reason": reason, "package_id": id, "out_dir": directory,
            });
            format!("{message}\n")
        };
        let executed = "build-script-executed";
        let messages = [
            message(executed, "registry+https://example.org#maps@1.0.0", "/a"),
            message(
                executed,
                "path+file:///course/lessons/03#tracepoint@0.1.0",
                "/b",
            ),
            message(
                "compiler-artifact",
                "path+file:///course/lessons/02-maps#maps@0.1.0",
                "/c",
            ),
            message(
                executed,
                "path+file:///course/lessons/02-maps#maps@0.1.0",
                "/d",
            ),
            "{\"reason\":\"build-finished\",\"success\":true}\n".to_owned(),
        ]
        .concat();
        let find = |package| find_out_dir(messages.as_bytes(), package).unwrap();
        assert_eq!(find("maps").as_deref(), Some(Path::new("/d")));
        assert_eq!(find("xdp"), None);
        assert!(find_out_dir("no message\n".as_bytes(), "maps").is_err());
    }

    #[test]
    fn a_long_build_is_announced_once() {
        let target = tempfile::tempdir().unwrap();
        let program = target.path().join("judge");
        let announcement = of_first_build(&program, "the program judge", "about 40 s");
        assert_eq!(
            announcement.as_deref(),
            Some("building the program judge (once, about 40 s)")
        );
        std::fs::write(&program, "").unwrap();
        assert_eq!(
            of_first_build(&program, "the program judge", "about 40 s"),
            None
        );
    }

    #[test]
    fn an_inner_error_is_shown_under_its_own_name() {
        let line = "warning: hello-kprobe@0.1.0: error[E0425]: cannot find value `x` in this scope";
        assert_eq!(
            worth_showing(line),
            Some("error[E0425]: cannot find value `x` in this scope")
        );
    }

    #[test]
    fn chatter_is_not_shown() {
        for line in [
            "    Finished `dev` profile [unoptimized] target(s) in 0.05s",
            "warning: intro@0.1.0:    Compiling compiler_builtins v0.1.160",
            "warning: intro@0.1.0:     Finished `release` profile [optimized + debuginfo] \
             target(s) in 0.12s",
            "  cargo:rerun-if-changed=ebpf",
        ] {
            assert_eq!(worth_showing(line), None, "{line}");
        }
    }

    #[test]
    fn progress_and_warnings_of_our_own_are_shown() {
        for line in [
            "   Compiling aya v0.14.0",
            "warning: unused variable: `x`",
            "error: could not compile `intro`",
        ] {
            assert_eq!(worth_showing(line), Some(line));
        }
    }
}
