//! What each kernel has, does and refuses, as `xtask/facts` finds it: compared with `book/facts`,
//! to which the book's reference pages are held by `cargo xtask book check`.
//!
//! To accept new facts, look at them after `INSTA_UPDATE=always cargo test -p xtask --test facts --
//! --ignored`, and let the book's check say which page they contradict.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use checkout::workspace;
use common::test_vm::TestVm;
use plan::{Outcome, Step};
use requirements::LibbpfBuild;
use testvm::Failure;
use xtask::pipeline::{build, needs};

fn facts_on(kernel: &str) {
    needs::ensure_needs(&[&LibbpfBuild]).unwrap();
    let facts = build::build_tool("facts").unwrap();
    let mut started = TestVm::on(kernel).with_program(&facts).start();
    let step = Step {
        program: "/bin/facts".into(),
        args: Vec::new(),
        ..common::shell("")
    };
    let (report, printed) = common::run(&mut started, vec![step]);
    let report = report.map_err(Failure::into_error).unwrap();
    let facts = String::from_utf8(printed.concat()).unwrap();
    assert_eq!(
        report.steps[0].outcome,
        Outcome::Exited(0),
        "it printed:\n{facts}"
    );

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(workspace::workspace_root().join("book/facts"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(format!("Linux {}", started.release));
    settings.bind(|| insta::assert_snapshot!(kernel, facts));
}

on_each_kernel!(facts_on);
