//! `try`: any program, as root, in a fresh VM.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use checkout::workspace;
use common::{Run, stderr, stdout, terminal, wait_for};
use kernel::Architecture;
use serde_json::Value;
use tempfile::TempDir;
use xtask::pipeline::cross_build;

/// Output, errors and exit code of a run on the default kernel.
fn try_on(arguments: &[&str]) -> (String, String, i32) {
    try_in(workspace::workspace_root(), arguments, "")
}

/// The same in a directory, with this input.
fn try_in(directory: &Path, arguments: &[&str], input: &str) -> (String, String, i32) {
    let mut all = vec!["try"];
    all.extend(arguments);
    let mut run = Run::new(&all);
    run.command
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    // A run that ends at once reads none of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_eq!(run.left_behind(), [""; 0]);
    let code = output.status.code().unwrap();
    (stdout(&output), stderr(&output), code)
}

/// `programs/guest_actions.rs`, compiled once.
fn guest_actions() -> &'static str {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = BUILT.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("guest-actions");
        let source = workspace::workspace_root().join("xtask/tests/programs/guest_actions.rs");
        compile(&source, &program, &["--edition=2024"]);
        (directory, program)
    });
    program.to_str().unwrap()
}

fn compile(source: &Path, program: &Path, options: &[&str]) {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(options).arg("-o").arg(program).arg(source);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Compiles this text, and returns the program's path.
fn compile_text(directory: &Path, name: &str, text: &str, options: &[&str]) -> String {
    let (source, program) = (directory.join("source.rs"), directory.join(name));
    fs::write(&source, text).unwrap();
    compile(&source, &program, options);
    program.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_program_says_comes_back() {
    let (out, err, code) = try_on(&["/bin/cat", "/proc/sys/kernel/osrelease", "/missing"]);
    assert!(out.starts_with("6.12."), "{out}");
    assert!(err.contains("/missing"), "{err}");
    assert!(err.contains("on 6.12: exit status 1"), "{err}");
    assert_eq!(code, 1);
    // A code of the program's is no code of the tool's, but for that of a failed Rust test.
    let (out, err, code) = try_on(&["/bin/bash", "-c", "echo $UID; exit 3"]);
    assert_eq!(out, "0\n");
    assert!(err.contains("on 6.12: exit status 3"), "{err}");
    assert_eq!(code, 1);
    let (_, err, code) = try_on(&["/bin/bash", "-c", "exit 101"]);
    assert!(err.contains("on 6.12: exit status 101"), "{err}");
    assert_eq!(code, 101);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_runs_on_what_it_is_built_for() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "fn main() { println!(\"{} {:?}\", std::env::consts::ARCH, std::env::args().nth(1)); }";
    let target = format!("--target={}", Architecture::Arm64.rust_target());
    let linker = format!("-Clinker={}", cross_build::compiler_of(Architecture::Arm64));
    // Its loader and its libraries are arm64's too.
    let program = compile_text(directory.path(), "name", text, &[&target, &linker]);
    let (out, err, code) = try_on(&[&program, "word"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "aarch64 Some(\"word\")\n");
    let (out, err, code) = try_on(&["--json", "--arch", "arm64", &program]);
    assert_eq!(code, 0, "{err}");
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(line["architecture"], "arm64");
    assert_eq!(line["stdout"], "aarch64 None\n");
    assert_eq!(line["left_behind"], Value::Array(Vec::new()));
    let (_, err, code) = try_on(&["--arch", "amd64", &program]);
    let told = "name is a program for arm64, and not for amd64";
    assert!(err.contains(told), "{err}");
    assert_eq!(code, 2);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_that_does_not_end_is_ended() {
    let (_, err, code) = try_on(&["--seconds", "1", "/bin/sleep", "100"]);
    assert!(
        err.contains("on 6.12: ended after 1 s, its time limit"),
        "{err}"
    );
    assert_eq!(code, 1);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn several_kernels_end_in_a_table() {
    let mut run = Run::new(&["try", "/bin/cat", "/proc/sys/kernel/osrelease"]);
    run.command.env("XTASK_KERNELS", "all");
    let output = run.output();
    assert!(output.status.success(), "{}", stderr(&output));
    let (out, err) = (stdout(&output), stderr(&output));
    let mut releases = out.lines();
    for kernel in kernel::MATRIX {
        let release = releases.next().unwrap();
        assert!(release.starts_with(&format!("{kernel}.")), "{out}");
        let row = format!("{kernel:<7} ok ");
        assert!(err.contains(&row), "{err}");
    }
    // It left nothing.
    assert!(!err.contains("left behind"), "{err}");
}

/// Its loader would run such a program to learn what it needs.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_static_program_is_not_run_here() {
    let directory = tempfile::tempdir().unwrap();
    let text = "fn main() { std::fs::write(\"/tmp/mark.ran\", \"\").unwrap(); }";
    let text = text.replace("/tmp", directory.path().to_str().unwrap());
    let options = ["-Ctarget-feature=+crt-static"];
    let program = compile_text(directory.path(), "mark", &text, &options);
    let (_, err, code) = try_on(&[&program]);
    assert_eq!(code, 0, "{err}");
    assert!(!directory.path().join("mark.ran").exists());
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn json_has_the_output_of_a_program_that_reads_its_input() {
    // More than fits into a pipe of the guest's, and into a piece of the line's.
    let input = "a line of input\n".repeat(9_000);
    let arguments = ["--json", guest_actions(), "echo", "bytes"];
    let (out, err, code) = try_in(workspace::workspace_root(), &arguments, &input);
    assert_eq!(code, 0, "{err}");
    let [line] = out.lines().collect::<Vec<_>>()[..] else {
        panic!("{out}")
    };
    let line: Value = serde_json::from_str(line).unwrap();
    assert!(line["stdout"] == format!("{input}\u{fffd}\n"), "{line}");
    assert_eq!(
        (&line["outcome"], &line["exit_code"], &line["error"]),
        (&Value::from("exited"), &Value::from(0), &Value::Null)
    );
    assert_eq!(line["left_behind"], Value::Array(Vec::new()));
    assert!(line["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_program_leaves_behind_is_named() {
    let actions = ["stay", "mount", "group", "namespace"];
    let (_, err, code) = try_on(&[&[guest_actions()], &actions[..]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(
        err.ends_with(
            "on 6.12 it left behind: process /proc/self/exe sleep (2 of them), \
             control group left, mount /mnt, net namespace /run/blue\n"
        ),
        "{err}"
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_that_takes_all_there_is_leaves_the_guest_alive() {
    let (out, err, code) = try_on(&[guest_actions(), "fill", "abort"]);
    assert_eq!(out, "StorageFull on /tmp\n");
    assert!(
        err.contains("on 6.12: ended by signal 6 (SIGABRT)"),
        "{err}"
    );
    assert_eq!(code, 1);
    let (_, err, code) = try_on(&[guest_actions(), "eat"]);
    assert!(
        err.contains("on 6.12: the guest's memory was full"),
        "{err}"
    );
    assert_eq!(code, 1);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn files_come_along_and_a_larger_guest_takes_larger_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("data")).unwrap();
    fs::write(path("data/small"), "small\n").unwrap();
    fs::set_permissions(path("data/small"), fs::Permissions::from_mode(0o777)).unwrap();
    let large = File::create(path("data/large")).unwrap();
    large.set_len(86 << 20).unwrap();
    let absolute = path("data/small").to_str().unwrap().to_owned();
    let script = format!(
        "cat data/small {absolute} /srv/copy/small; test -x data/small && echo $A; \
         test -s data/large && >data/new && >/etc-too && echo written"
    );
    let files = ["--file", "data", "--file", "data/small:/srv/copy/"];
    let files = [&files[..], &["--file", "/bin/cat", "--env", "A=b"]].concat();
    let command = ["/bin/bash", "-c", &script];
    let (_, err, code) = try_in(directory.path(), &[&files[..], &command].concat(), "");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--memory 320 makes a guest"), "{err}");
    let memory = ["--memory", "320"];
    let arguments = [&files[..], &memory, &command].concat();
    let (out, err, code) = try_in(directory.path(), &arguments, "");
    assert_eq!(out, "small\nsmall\nsmall\nb\nwritten\n", "{err}");
    assert_eq!(code, 0, "{err}");
    assert!(!path("data/new").exists());
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_gets_a_terminal_if_it_is_asked_for() {
    let (out, _, code) = try_on(&["/usr/bin/tty"]);
    assert_eq!((out.as_str(), code), ("not a tty\n", 1));
    let (mut screen, slave) = terminal();
    let mut run = Run::new(&["try", "--terminal", "/usr/bin/tty"]);
    let mut child = run.start_on_terminal(slave);
    wait_for(&mut screen, "/dev/pts/");
    assert!(child.wait().unwrap().success());
    let mut err = String::new();
    child.stderr.unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("on Linux 6.12"), "{err}");
    assert_eq!(run.left_behind(), [""; 0]);
}

/// A copy of the test program with a few bytes changed.
fn changed_program(directory: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = fs::read(guest_actions()).unwrap();
    change(&mut bytes);
    let program = directory.join(name);
    fs::write(&program, bytes).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

#[test]
fn bad_input_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh -e\n").unwrap();
    let foreign = changed_program(directory.path(), "foreign", |bytes| bytes[18] = 243);
    let cut = changed_program(directory.path(), "cut", |bytes| bytes.truncate(4096));
    let lacking = changed_program(directory.path(), "lacking", |bytes| {
        let name = b"libc.so.6\0";
        for at in 0..bytes.len() - name.len() {
            if bytes[at..].starts_with(name) {
                bytes[at + 3] = b'q';
            }
        }
    });
    let length = fs::metadata(guest_actions()).unwrap().len().to_string();
    let image = directory.path().join("Image");
    let banner = b"ARM\x64 Linux version 6.9.1-test (me@here)";
    fs::write(&image, [&[0; 0x38][..], banner].concat()).unwrap();
    let refused = |arguments: &[&str]| {
        let (out, err, code) = try_on(arguments);
        assert_eq!(out, "");
        let err = err.replace(directory.path().to_str().unwrap(), "DIRECTORY");
        format!("{err}exit code {code}\n")
    };
    let told = [
        refused(&["/nothing/here"]),
        refused(&[script.to_str().unwrap()]),
        refused(&[&foreign]),
        refused(&["--arch", "arm64", "/bin/true"]),
        refused(&["--arch", "riscv64", "/bin/true"]),
        refused(&[&cut]).replace(&length, "LENGTH"),
        refused(&[&lacking]),
        refused(&["--file", "/nothing/here", "/bin/true"]),
        refused(&["--file", "/bin/true:/proc/x", "/bin/true"]),
        refused(&["--file", "/bin/cat:/bin/true", "/bin/true"]),
        refused(&["--env", "NOT_SET_HERE", "/bin/true"]),
        refused(&["--memory", "64", "/bin/true"]),
        refused(&["--terminal", "/bin/true"]),
        refused(&["--kernel", "6.13", "/bin/true"]),
        refused(&["--kernel", image.to_str().unwrap(), "/bin/true"]),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
