//! Every lesson, with both implementations, on every kernel: the same transcript.
//!
//! One VM a kernel runs all lessons. To accept new transcripts, look at them after
//! `INSTA_UPDATE=always cargo test -p xtask --test transcripts -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;

use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::{self, Lesson};
use plan::Step;
use testvm::Started;
use xtask::pipeline::demo::Script;
use xtask::pipeline::{build, needs};

fn transcripts_on(kernel: &str) {
    let lessons = catalog::read_lessons().unwrap();
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let mut vm = TestVm::on(kernel);
    for lesson in &lessons {
        vm = vm.with_program(&build::build_lesson(lesson).unwrap());
    }
    let mut started = vm.start();
    for lesson in &lessons {
        let [aya, libbpf] = Implementation::ALL.map(|implementation| {
            let script = Script::of_demo(lesson, &[implementation], |_| true);
            transcript(
                lesson,
                implementation,
                kernel,
                &mut started,
                script.plan.steps,
            )
        });
        compare(lesson, kernel, &aya, &libbpf);
    }
}

/// What the steps print, after they all succeeded and the kernel had nothing to complain about.
fn transcript(
    lesson: &Lesson,
    implementation: Implementation,
    kernel: &str,
    started: &mut Started,
    steps: Vec<Step>,
) -> String {
    let what = format!("{} with {implementation} on {kernel}", lesson.full_name());
    let (report, printed) = common::run(started, steps);
    let text = String::from_utf8(printed.concat()).unwrap();
    let report = report.unwrap_or_else(|failure| panic!("{what}: {:#}", failure.into_error()));
    for step in &report.steps {
        assert!(
            step.outcome.succeeded(),
            "{what}: {:?}; it printed:\n{text}",
            step.outcome
        );
    }
    assert_eq!(report.complaints, [""; 0], "{what}: the kernel complained");
    text
}

fn compare(lesson: &Lesson, kernel: &str, aya: &str, libbpf: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(lesson.directory.join("tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, constant) in &lesson.about.volatile {
        settings.add_filter(pattern, constant.as_str());
    }
    let name = snapshot_name(lesson, kernel);
    if let Some(reason) = lesson.about.differs.get(kernel) {
        settings.set_description(format!("Linux {kernel} differs: {reason}"));
    }
    settings.bind(|| {
        for (implementation, transcript) in
            [(Implementation::Aya, aya), (Implementation::Libbpf, libbpf)]
        {
            // Shown only when the comparison fails.
            println!(
                "{} with {implementation} on Linux {kernel}:",
                lesson.full_name()
            );
            insta::assert_snapshot!(name.as_str(), transcript);
        }
    });
}

fn snapshot_name(lesson: &Lesson, kernel: &str) -> String {
    match lesson.about.differs.get(kernel) {
        Some(_) => format!("transcript@{kernel}"),
        None => "transcript".to_owned(),
    }
}

/// A snapshot that no test reads would prove nothing.
#[test]
fn every_snapshot_is_used() {
    for lesson in catalog::read_lessons().unwrap() {
        let used: BTreeSet<_> = kernel::MATRIX
            .iter()
            .map(|kernel| format!("{}.snap", snapshot_name(&lesson, kernel)))
            .collect();
        let present: BTreeSet<_> = std::fs::read_dir(lesson.directory.join("tests/snapshots"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(present, used, "{}", lesson.full_name());
    }
}

on_each_kernel!(transcripts_on);
