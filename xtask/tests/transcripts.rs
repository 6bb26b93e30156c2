//! Every lesson, with both implementations, on every kernel: the same transcript.
//!
//! One VM a kernel runs all lessons. To accept new transcripts, look at them after
//! `INSTA_UPDATE=always cargo test -p xtask --test transcripts -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::fmt;

use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::{self, Lesson};
use kernel::{ARM64_MATRIX, Architecture, MATRIX};
use plan::Step;
use testvm::Started;
use xtask::pipeline::demo::Script;
use xtask::pipeline::{build, needs};

fn transcripts_on(kernel: &str) {
    transcripts_of(kernel, Architecture::Amd64);
}

/// Those that are not too old for them.
fn lessons_for(kernel: &str, architecture: Architecture) -> Vec<Lesson> {
    let mut lessons = catalog::read_lessons().unwrap();
    lessons.retain(|lesson| lesson.about.why_too_old(kernel, architecture).is_none());
    lessons
}

fn transcripts_of(kernel: &str, architecture: Architecture) {
    let lessons = lessons_for(kernel, architecture);
    needs::ensure_needs(&needs::build_needs(architecture)).unwrap();
    let mut vm = TestVm::of_architecture(kernel, architecture);
    for lesson in &lessons {
        vm = vm.with_program(&build::build_lesson(lesson, architecture).unwrap());
    }
    let mut started = vm.start();
    let place = Place {
        kernel,
        architecture,
    };
    for lesson in &lessons {
        let [aya, libbpf] = Implementation::ALL.map(|implementation| {
            let script = Script::of_demo(lesson, &[implementation], |_| true);
            let what = format!("{} with {implementation} on {place}", lesson.full_name());
            transcript(&what, &mut started, script.plan.steps)
        });
        compare(lesson, place, &aya, &libbpf);
    }
}

/// Where a lesson runs.
#[derive(Clone, Copy)]
struct Place<'a> {
    kernel: &'a str,
    architecture: Architecture,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.architecture {
            Architecture::Amd64 => f.write_str(self.kernel),
            architecture => write!(f, "{} {architecture}", self.kernel),
        }
    }
}

impl Place<'_> {
    /// Under which name the lesson says that its transcript differs here, and why.
    fn difference(self, lesson: &Lesson) -> Option<(String, &str)> {
        let architecture = self.architecture.name();
        [&self.to_string(), architecture, self.kernel]
            .into_iter()
            .find_map(|name| Some((name.to_owned(), lesson.about.differs.get(name)?.as_str())))
    }

    fn snapshot_name(self, lesson: &Lesson) -> String {
        match self.difference(lesson) {
            Some((name, _)) => format!("transcript@{}", name.replace(' ', "-")),
            None => "transcript".to_owned(),
        }
    }
}

/// What the steps print, after they all succeeded and the kernel had nothing to complain about.
fn transcript(what: &str, started: &mut Started, steps: Vec<Step>) -> String {
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

fn compare(lesson: &Lesson, place: Place<'_>, aya: &str, libbpf: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(lesson.directory.join("tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, constant) in &lesson.about.volatile {
        settings.add_filter(pattern, constant.as_str());
    }
    if let Some((name, reason)) = place.difference(lesson) {
        settings.set_description(format!("Linux {name} differs: {reason}"));
    }
    let name = place.snapshot_name(lesson);
    settings.bind(|| {
        for (implementation, transcript) in
            [(Implementation::Aya, aya), (Implementation::Libbpf, libbpf)]
        {
            // Shown only when the comparison fails.
            println!(
                "{} with {implementation} on Linux {place}:",
                lesson.full_name()
            );
            insta::assert_snapshot!(name.as_str(), transcript);
        }
    });
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_arm64() {
    for kernel in ARM64_MATRIX {
        transcripts_of(kernel, Architecture::Arm64);
    }
}

/// A snapshot that no test reads would prove nothing.
#[test]
fn every_snapshot_is_used() {
    let places = |architecture, kernels: &[&'static str]| {
        let place = move |&kernel| Place {
            kernel,
            architecture,
        };
        kernels.iter().map(place).collect::<Vec<_>>()
    };
    let mut places_of_all = places(Architecture::Amd64, &MATRIX);
    places_of_all.extend(places(Architecture::Arm64, &ARM64_MATRIX));
    for lesson in catalog::read_lessons().unwrap() {
        let about = &lesson.about;
        let used: BTreeSet<_> = places_of_all
            .iter()
            .filter(|place| {
                about
                    .why_too_old(place.kernel, place.architecture)
                    .is_none()
            })
            .map(|place| format!("{}.snap", place.snapshot_name(&lesson)))
            .collect();
        let present: BTreeSet<_> = std::fs::read_dir(lesson.directory.join("tests/snapshots"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(present, used, "{}", lesson.full_name());
    }
}

on_each_kernel!(transcripts_on);
