//! `try`: any program, as root, in a fresh VM.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::{Run, stderr, stdout};

/// Output, errors and exit code of a run on the default kernel.
fn try_on(arguments: &[&str]) -> (String, String, i32) {
    let mut all = vec!["try"];
    all.extend(arguments);
    let mut run = Run::new(&all);
    let output = run.output();
    assert_eq!(run.left_behind(), [""; 0]);
    let code = output.status.code().unwrap();
    (stdout(&output), stderr(&output), code)
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_program_says_comes_back() {
    let (out, err, code) = try_on(&["/usr/bin/id", "-u"]);
    assert_eq!((out.as_str(), code), ("0\n", 0), "{err}");
    let (out, err, code) = try_on(&["/bin/cat", "/proc/sys/kernel/osrelease", "/missing"]);
    assert!(out.starts_with("6.12."), "{out}");
    assert!(err.contains("/missing"), "{err}");
    assert!(err.contains("on 6.12: exit status 1"), "{err}");
    assert_eq!(code, 1);
    // A code of the program's is no code of the tool's.
    let (_, err, code) = try_on(&["/bin/bash", "-c", "exit 3"]);
    assert!(err.contains("on 6.12: exit status 3"), "{err}");
    assert_eq!(code, 1);
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
}

/// Its loader would run such a program to learn what it needs.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_static_program_is_not_run_here() {
    let directory = tempfile::tempdir().unwrap();
    let (source, program) = (
        directory.path().join("mark.rs"),
        directory.path().join("mark"),
    );
    let text =
        "fn main() { std::fs::write(std::env::args().nth(0).unwrap() + \".ran\", \"\").ok(); }";
    std::fs::write(&source, text).unwrap();
    let mut rustc = std::process::Command::new("rustc");
    rustc.args(["-Ctarget-feature=+crt-static", "-o"]);
    let output = rustc.arg(&program).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let (_, err, code) = try_on(&[program.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert!(!directory.path().join("mark.ran").exists());
}

#[test]
fn bad_input_is_told_at_once() {
    let (_, err, code) = try_on(&["/nothing/here"]);
    assert!(err.contains("cannot read /nothing/here"), "{err}");
    assert_eq!(code, 2);
    let (_, err, code) = try_on(&["/bin/true", "--kernel", "6.13"]);
    assert!(err.contains("no kernel is called '6.13'"), "{err}");
    assert_eq!(code, 2);
}
