//! Lesson 01 with aya-log: the text that the kernel puts together, on every kernel.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;

use checkout::{environment, workspace};
use common::test_vm::TestVm;
use common::{Run, shell};
use kernel::MATRIX;
use testvm::Failure;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn aya_log_says_the_same_on_every_kernel() {
    for kernel in MATRIX {
        let printed = printed_by(kernel, "hello-kprobe --impl aya --log");
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.add_filter(r"pid=\d+", "pid=1234");
        settings.bind(|| insta::assert_snapshot!("aya_log", printed));
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_first_program_sees_a_removal_on_every_kernel() {
    for kernel in MATRIX {
        for implementation in ["aya", "libbpf"] {
            let command = format!("hello-kprobe --first --impl {implementation}");
            let mut settings = insta::Settings::clone_current();
            settings.set_omit_expression(true);
            settings.add_filter(r"process \d+", "process 1234");
            settings.bind(|| insta::assert_snapshot!("first", printed_by(kernel, &command)));
        }
    }
}

/// The VM begins with the program of an earlier build. What it prints is held back until cargo has
/// ended, which puts its own program back here.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_program_that_cargo_did_not_build_is_not_shown() {
    let run = || Run::new(&["run", "01"]).output();
    assert!(run().status.success());
    let directory = environment::output_directory(&workspace::target_directory());
    let program = directory.join("hello-kprobe");
    fs::remove_file(&program).unwrap();
    fs::copy("/bin/echo", &program).unwrap();
    let output = run();
    let printed = common::stdout(&output);
    assert!(output.status.success(), "{}", common::stderr(&output));
    assert!(printed.starts_with("attached  a kprobe"), "{printed}");
    assert!(!printed.contains("--impl"), "{printed}");
}

fn printed_by(kernel: &str, command: &str) -> String {
    let mut started = TestVm::on(kernel).with_tools().with_lesson("01").start();
    let (report, printed) = common::run(&mut started, vec![shell(command)]);
    let report = report.map_err(Failure::into_error).unwrap();
    assert!(
        report.steps[0].outcome.succeeded(),
        "{kernel}: {:?}",
        report.steps[0].outcome
    );
    String::from_utf8(printed.concat()).unwrap()
}
