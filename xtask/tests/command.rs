//! The command line as people meet it: bad input, and what an interrupted run leaves behind.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::fake_qemu::FakeQemu;
use common::{Run, stderr, stdout, wait_for};
use nix::sys::signal::{Signal, kill};
use processes::child::pid_of;

/// Runs a command that goes wrong: its standard error, with the exit code.
fn refused(arguments: &[&str]) -> String {
    let mut run = Run::new(arguments);
    let output = run.output_soon();
    assert_eq!(stdout(&output), "", "a refusal is no answer");
    assert_eq!(run.left_behind(), [""; 0]);
    format!(
        "{}exit code {}",
        stderr(&output),
        output.status.code().unwrap()
    )
}

#[test]
fn unknown_lesson() {
    insta::assert_snapshot!(refused(&["run", "01-hello-kprob"]));
}

#[test]
fn unknown_kernel() {
    insta::assert_snapshot!(refused(&["run", "01", "--kernel", "6.13"]));
}

#[test]
fn unknown_flag() {
    insta::assert_snapshot!(refused(&["run", "01", "--kernal", "6.12"]));
}

#[test]
fn unknown_implementation() {
    insta::assert_snapshot!(refused(&["run", "01", "--impl", "bcc"]));
}

#[test]
fn unknown_architecture() {
    insta::assert_snapshot!(refused(&["check", "03", "--arch", "arm"]));
    for command in ["run", "gallery"] {
        assert!(refused(&[command, "03", "--arch", "arm"]).ends_with("exit code 2"));
    }
}

#[test]
fn kernel_that_is_too_old_for_an_exercise() {
    let arguments = ["check", "04/bytes-read", "--arch", "arm64"];
    insta::assert_snapshot!(refused(
        &[&arguments[..], &["--kernel", "5.10,6.1"]].concat()
    ));
}

#[test]
fn missing_lesson() {
    insta::assert_snapshot!(refused(&["run"]));
}

#[test]
fn kernel_file_that_is_none() {
    assert!(refused(&["run", "01", "--kernel", "./nothing-here"]).ends_with("exit code 2"));
    assert!(refused(&["run", "01", "--kernel", "/etc/passwd"]).contains("/etc/passwd"));
    assert!(refused(&["run", "01", "--kernel", "/"]).contains("directory"));
}

#[test]
fn nothing_to_follow() {
    insta::assert_snapshot!(refused(&["run", "00", "--follow"]));
    assert!(refused(&["run", "01", "--follow", "--impl", "both"]).ends_with("exit code 2"));
}

/// It takes one architecture, as one kernel.
#[test]
fn nothing_follows_on_two_architectures() {
    let arguments = ["run", "01", "--follow", "--arch", "both"];
    insta::assert_snapshot!(refused(&arguments));
    for command in ["shell", "watch"] {
        let told = refused(&[command, "--arch", "both"]);
        assert!(told.contains("amd64 or arm64"), "{told}");
        assert!(told.ends_with("exit code 2"), "{told}");
    }
}

#[test]
fn nothing_too_old_is_watched() {
    let arguments = [
        "watch",
        "04/bytes-read",
        "--arch",
        "arm64",
        "--kernel",
        "6.1",
    ];
    insta::assert_snapshot!(refused(&arguments));
}

#[test]
fn shell_on_all_kernels() {
    insta::assert_snapshot!(refused(&["shell", "--kernel", "all"]));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn unknown_accelerator() {
    let output = Run::new(&["run", "01"])
        .command
        .env("XTASK_ACCEL", "hvf")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("neither 'kvm' nor 'tcg'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn help_of_every_command() {
    for command in [
        "run", "list", "watch", "class", "explain", "doctor", "setup", "shell", "bench", "test",
    ] {
        let output = Run::new(&[command, "--help"]).output();
        assert!(output.status.success());
        assert!(
            stdout(&output).contains("Usage: cargo xtask"),
            "{}",
            stdout(&output)
        );
    }
}

#[test]
fn list_is_a_table_and_json() {
    insta::assert_snapshot!(stdout(&Run::new(&["list"]).output()));
    let output = Run::new(&["list", "--json"]).output();
    let lessons: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(lessons[1]["name"], "hello-kprobe");
}

/// As people type it: through cargo.
#[test]
fn cargo_says_nothing_above_an_answer() {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    // `.cargo/config.toml` sets them for what cargo runs, such as this test.
    cargo
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env_remove("RUSTC_BOOTSTRAP");
    let output = cargo
        .args(["xtask", "list"])
        .current_dir(checkout::workspace::workspace_root())
        .output()
        .unwrap();
    assert!(
        stdout(&output).starts_with("      lesson "),
        "{}",
        stdout(&output)
    );
    for word in ["Finished", "Running"] {
        assert!(!stderr(&output).contains(word), "{}", stderr(&output));
    }
}

#[test]
#[should_panic(expected = "an answer never came")]
fn a_test_does_not_wait_for_ever() {
    let (mut screen, _silent) = common::terminal();
    let deadline = Instant::now() + Duration::from_millis(100);
    common::wait_until(deadline, &mut screen, "an answer");
}

#[test]
fn output_into_a_closed_pipe_is_no_error() {
    let mut run = Run::new(&["list"]);
    let mut child = run
        .command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), "")
    );
}

#[test]
fn no_qemu() {
    let output = Run::new(&["run", "01"])
        .command
        .env("XTASK_QEMU", "/nowhere/qemu")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).contains("XTASK_QEMU"),
        "{}",
        stderr(&output)
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn not_enough_memory_for_the_vm() {
    let directory = tempfile::tempdir().unwrap();
    let qemu = FakeQemu::default()
        .with_limit('v', 400_000)
        .write_to(directory.path());
    let mut run = Run::new(&["run", "01"]);
    let output = run.command.env("XTASK_QEMU", &qemu).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("256 MiB"), "{}", stderr(&output));
    assert_eq!(run.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_qemu_that_dies_is_not_the_lessons_fault() {
    let directory = tempfile::tempdir().unwrap();
    let qemu = FakeQemu::default().that_ends().write_to(directory.path());
    let mut run = Run::new(&["run", "01"]);
    let output = run.command.env("XTASK_QEMU", &qemu).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("in 3 attempts"),
        "{}",
        stderr(&output)
    );
}

/// A run of lesson 01 that goes on until it is told to stop, and the lines of its standard output.
struct Lesson {
    run: Run,
    child: Child,
}

impl Lesson {
    fn start(arguments: &[&str]) -> Self {
        let mut run = Run::new(arguments);
        let child = run
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { run, child }
    }

    fn wait_for_line(&mut self, text: &str) {
        let mut lines = BufReader::new(self.child.stdout.as_mut().unwrap());
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(
                lines.read_line(&mut line).unwrap(),
                0,
                "no line with '{text}'"
            );
        }
    }

    fn signal(&self, signal: Signal) {
        kill(pid_of(&self.child), signal).unwrap();
    }

    /// The exit code, or minus the signal.
    fn end(mut self) -> i32 {
        let begin = Instant::now();
        let mut rest = Vec::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut rest)
            .unwrap();
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let status = self.child.wait().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(60));
        assert_eq!(self.run.left_behind(), [""; 0], "{said}");
        status.code().unwrap_or_else(|| -status.signal().unwrap())
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_while_booting_ends_the_vm() {
    let lesson = Lesson::start(&["run", "01"]);
    lesson.run.wait_for_qemu();
    lesson.signal(Signal::SIGINT);
    assert_eq!(lesson.end(), -2);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_reaches_the_lesson_which_detaches() {
    let mut lesson = Lesson::start(&["run", "01", "--follow"]);
    lesson.wait_for_line("Ctrl-C");
    lesson.signal(Signal::SIGINT);
    lesson.wait_for_line("detached");
    assert_eq!(lesson.end(), 0);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn sigterm_ends_the_vm() {
    let mut lesson = Lesson::start(&["run", "01", "--follow"]);
    lesson.wait_for_line("attached");
    lesson.signal(Signal::SIGTERM);
    assert_eq!(lesson.end(), -15);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_second_ctrl_c_ends_the_vm() {
    let mut run = Run::new(&["shell"]);
    run.command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let script = b"trap '' INT; echo deaf; while :; do :; done";
    child.stdin.take().unwrap().write_all(script).unwrap();
    let mut lesson = Lesson { run, child };
    lesson.wait_for_line("deaf");
    lesson.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        lesson.child.try_wait().unwrap().is_none(),
        "the first Ctrl-C is for the program in the VM"
    );
    lesson.signal(Signal::SIGINT);
    assert_eq!(lesson.end(), -2);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn sigkill_takes_the_vm_along() {
    let mut lesson = Lesson::start(&["run", "01", "--follow"]);
    lesson.wait_for_line("attached");
    lesson.signal(Signal::SIGKILL);
    assert_eq!(lesson.end(), -9);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_reader_that_leaves_ends_the_run() {
    let mut lesson = Lesson::start(&["run", "01"]);
    drop(lesson.child.stdout.take());
    let output = lesson.child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(lesson.run.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_script_runs_in_the_shell() {
    for (architecture, machine) in [("amd64", "x86_64"), ("arm64", "aarch64")] {
        let mut run = Run::new(&["shell", "--kernel", "6.1", "--arch", architecture]);
        let mut child = run
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Each of busybox's programs is there under its name.
        let script = b"uname -rm; bpftool version | head -1; \
            for name in $(busybox --list); do [ -e /bin/$name ] || echo no $name; done; \
            hello-kprobe --impl libbpf --demo | tail -1; exit 0";
        child.stdin.take().unwrap().write_all(script).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = stdout(&output);
        assert!(output.status.success(), "{}", stderr(&output));
        let [system, tool, last] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        assert!(system.starts_with("6.1."), "{system}");
        assert!(system.ends_with(machine), "{system}");
        assert!(tool.starts_with("bpftool v"), "{tool}");
        assert!(last.starts_with("detached"), "{last}");
    }
}

/// Both architectures' figures are of programs that ran.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn costs_are_measured_on_both_architectures() {
    let arguments = ["bench", "01", "--arch", "both", "--rounds", "1", "--json"];
    let output = Run::new(&arguments).command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut seen = Vec::new();
    for line in stdout(&output).lines() {
        let program: serde_json::Value = serde_json::from_str(line).unwrap();
        let architecture = program["architecture"].as_str().unwrap().to_owned();
        let release = program["kernel"].as_str().unwrap();
        assert!(release.ends_with(&architecture), "{line}");
        for implementation in ["aya", "libbpf"] {
            let executed = program[implementation]["executed_per_run"].as_f64();
            assert!(executed > Some(1000.0), "{line}");
        }
        seen.push(architecture);
    }
    assert_eq!(seen, ["amd64", "amd64", "arm64", "arm64"]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_lesson_that_is_too_old_is_not_measured() {
    let arguments = ["bench", "04", "--arch", "arm64", "--kernel", "5.10"];
    let output = Run::new(&arguments).command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("needs Linux 6.4 or newer on arm64"), "{said}");
    assert!(said.contains("cargo xtask bench 04 --arch arm64"), "{said}");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_vm_that_hangs_is_given_up_at_its_time_limit() {
    let mut lesson = Lesson::start(&["run", "01"]);
    lesson.wait_for_line("attached");
    kill(lesson.run.qemu(), Signal::SIGSTOP).unwrap();
    // The lesson's 30 s, and 10 more for the guest to say so itself.
    assert_eq!(lesson.end(), 1);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_vm_that_is_killed_is_not_the_lessons_fault() {
    // On a busy machine the demo alone would be over by then.
    let mut lesson = Lesson::start(&["run", "01", "--follow"]);
    lesson.wait_for_line("attached");
    kill(lesson.run.qemu(), Signal::SIGKILL).unwrap();
    assert_eq!(lesson.end(), 3);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn closed_standard_streams_are_no_problem() {
    let mut run = Run::new(&["run", "01"]);
    let line = format!("exec {} run 01 <&- 2>&-", common::program().display());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).envs(
        run.command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let output = shell.output().unwrap();
    assert!(output.status.success());
    assert!(stdout(&output).contains("detached"));
    assert_eq!(run.left_behind(), [""; 0]);
    run.command = shell;
}

/// A shell on a real terminal, driven key by key.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_person_types_into_the_shell() {
    let (mut terminal, theirs) = common::terminal();
    let mut run = Run::new(&["shell"]);
    let mut child = run.start_on_terminal(theirs);
    let screen = wait_for(&mut terminal, "# ");
    assert!(screen.contains("hello-kprobe"), "no greeting: {screen}");
    terminal.write_all(b"sleep 100\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    terminal.write_all(b"\x03echo $((6*7))\n").unwrap();
    wait_for(&mut terminal, "42");
    // More than the shell will read: what comes after its end is lost, and nothing else.
    terminal.write_all(b"exit\nexit\n\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(run.left_behind(), [""; 0]);
}

/// Whoever follows a lesson can cause what it shows.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_person_follows_a_lesson() {
    for (architecture, lesson, cause, shown) in [
        (
            "amd64",
            "01",
            "n=mine; touch /tmp/file-$n; rm /tmp/file-$n\n",
            "file-mine",
        ),
        (
            "arm64",
            "03",
            "n=mine; cp /bin/busybox /tmp/by-$n; /tmp/by-$n\n",
            "by-mine",
        ),
        (
            "amd64",
            "04",
            "n=mine; read -r line </tmp/nothing-$n\n",
            "nothing-mine",
        ),
    ] {
        let (mut terminal, theirs) = common::terminal();
        let mut run = Run::new(&["run", lesson, "--follow", "--arch", architecture]);
        let mut child = run.start_on_terminal(theirs);
        wait_for(&mut terminal, "here; exit, or Ctrl-D, ends this and the VM");
        terminal.write_all(cause.as_bytes()).unwrap();
        wait_for(&mut terminal, shown);
        terminal.write_all(b"exit\n").unwrap();
        // The lesson sums up before its VM ends.
        wait_for(&mut terminal, "detached");
        assert!(child.wait().unwrap().success());
        assert_eq!(run.left_behind(), [""; 0]);
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_runs_at_once_do_not_disturb_each_other() {
    let mut runs = [
        ["run", "01", "--impl", "aya"],
        ["run", "01", "--impl", "libbpf"],
    ]
    .map(|arguments| {
        let mut run = Run::new(&arguments);
        run.command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    for child in &mut runs {
        let mut text = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(child.wait().unwrap().success());
        assert!(text.contains("exit ret=-2\n\ndetached  "), "{text}");
    }
}
