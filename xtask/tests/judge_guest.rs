//! A guest that has judged answers comes to the same verdicts as one that has judged none, and one
//! in which an answer has left something judges no other.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use checkout::workspace;
use course::Implementation;
use course::exercises::{self, Exercise, Variant};
use kernel::{Architecture, Kernel};
use requirements::kernels::find_kernel;
use requirements::{Qemu, require_kernel};
use xtask::pipeline::answer_build::{self, BuiltProgram};
use xtask::pipeline::judge_guest::JudgeGuest;
use xtask::pipeline::judging::{self, Candidate, Checked, Verdict};
use xtask::pipeline::needs;

/// An answer, and whether the guest that has judged it may judge another.
struct Answer {
    what: String,
    exercise: Exercise,
    program: BuiltProgram,
    is_tidy: bool,
}

/// In the order in which they are judged: each kind comes after each other kind that matters.
fn answers() -> &'static [Answer] {
    static ANSWERS: OnceLock<Vec<Answer>> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
        let rejected = |text: &str| replace_once(text, "if (count)\n", "if (1)\n");
        let pinned = |text: &str| {
            let key = "__type(key, char[16]);";
            replace_once(text, key, &format!("{key} __uint(pinning, 1);"))
        };
        vec![
            of_course("03/count-by-comm", Variant::Solution),
            of_course("03/count-by-comm", Variant::Starter),
            of_course("01/time-asleep", Variant::Solution),
            changed("rejected", rejected, true),
            of_course("05/no-setuid", Variant::Solution),
            changed("pinned", pinned, false),
            of_course("03/count-by-comm", Variant::Solution),
            of_course("06/block-list", Variant::Solution),
            of_course("05/no-setuid", Variant::Starter),
            of_course("01/on-and-off", Variant::Solution),
            leaving("a process", true),
            of_course("03/count-by-comm", Variant::Starter),
            leaving("a setting", false),
            of_course("01/on-and-off", Variant::Solution),
            leaving("a crash", false),
            of_course("03/count-by-comm", Variant::Solution),
            of_course("06/block-list", Variant::Starter),
        ]
    })
}

/// With libbpf: that is built soonest.
fn of_course(name: &str, variant: Variant) -> Answer {
    let exercise = find(name);
    let built = answer_build::build_answer(
        &exercise,
        Implementation::Libbpf,
        variant,
        Architecture::HOST,
    )
    .unwrap();
    Answer {
        what: format!("{name}, {variant:?}"),
        exercise,
        program: built.unwrap(),
        is_tidy: true,
    }
}

/// A solution in C that somebody has changed.
fn changed(what: &str, change: impl Fn(&str) -> String, is_tidy: bool) -> Answer {
    let exercise = find("03/count-by-comm");
    let solution = exercise.program_path(Variant::Solution, Implementation::Libbpf);
    let text = change(&std::fs::read_to_string(solution).unwrap());
    let source = common::scratch().join(format!("count-by-comm-{what}.bpf.c"));
    std::fs::write(&source, text).unwrap();
    let file = source.with_extension("o");
    let mut clang = answer_build::clang_for_kernel(&exercise, Architecture::HOST).unwrap();
    clang.arg("-c").arg(&source).arg("-o").arg(&file);
    assert!(clang.status().unwrap().success());
    Answer {
        what: what.to_owned(),
        exercise,
        program: BuiltProgram {
            file,
            object: None,
            warnings: String::new(),
        },
        is_tidy,
    }
}

/// A user-space program that does not load the eBPF program.
fn leaving(what: &str, is_tidy: bool) -> Answer {
    let right = of_course("01/on-and-off", Variant::Solution);
    let file = common::scratch().join(format!("leaves-{}", what.replace(' ', "-")));
    let source = workspace::workspace_root().join("xtask/tests/mistakes/leaves_things.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-O", "-Cstrip=symbols"]);
    rustc.arg(source).arg("-o").arg(&file).env("LEAVES", what);
    assert!(rustc.status().unwrap().success());
    Answer {
        what: what.to_owned(),
        program: BuiltProgram {
            file,
            ..right.program
        },
        is_tidy,
        ..right
    }
}

fn find(name: &str) -> Exercise {
    let exercises = exercises::read_exercises().unwrap();
    exercises::find_exercise(&exercises, name).unwrap().clone()
}

fn replace_once(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

fn judge_on(guest: JudgeGuest, answer: &Answer) -> (Vec<Checked>, Option<JudgeGuest>) {
    let candidate = Candidate {
        exercise: &answer.exercise,
        implementation: Implementation::Libbpf,
        name: "answer".to_owned(),
        file: answer.program.file.clone(),
        object: answer.program.object.clone(),
        architecture: Architecture::HOST,
    };
    guest.judge_answer(&candidate).unwrap()
}

fn name_verdicts(checks: &[Checked]) -> Vec<String> {
    checks.iter().map(name_verdict).collect()
}

/// Without the reason of a failure: it has names and numbers that differ on each run.
fn name_verdict(check: &Checked) -> String {
    let verdict = match &check.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::NotRun => "not run".to_owned(),
        Verdict::Failed { .. } => "failed".to_owned(),
        Verdict::Rejected(rejection) => format!("rejected: {}", rejection.error),
    };
    format!("{}: {verdict}", check.name)
}

struct Court {
    judge: PathBuf,
    kernel: Kernel,
}

impl Court {
    fn on(kernel: &str) -> Self {
        needs::ensure_needs(&[
            &Qemu::HOST,
            require_kernel(kernel, Architecture::HOST).unwrap(),
        ])
        .unwrap();
        Self {
            judge: judging::build_judge(Architecture::HOST).unwrap(),
            kernel: find_kernel(kernel, Architecture::HOST).unwrap(),
        }
    }

    fn start(&self) -> JudgeGuest {
        JudgeGuest::start_with(self.judge.clone(), &self.kernel).unwrap()
    }
}

/// What each answer comes to in a guest that has judged none, on the default kernel. The verdicts
/// are the same on all kernels, so one fresh guest for each answer tells what kept ones must say.
fn fresh_verdicts() -> &'static BTreeMap<&'static str, Vec<String>> {
    static VERDICTS: OnceLock<BTreeMap<&str, Vec<String>>> = OnceLock::new();
    VERDICTS.get_or_init(|| {
        let court = Court::on(kernel::DEFAULT);
        let mut verdicts = BTreeMap::new();
        for answer in answers() {
            let what = answer.what.as_str();
            verdicts.entry(what).or_insert_with(|| {
                let (checks, kept) = judge_on(court.start(), answer);
                assert_eq!(kept.is_some(), answer.is_tidy, "{what} in a fresh guest");
                name_verdicts(&checks)
            });
        }
        verdicts
    })
}

fn verdicts_on(kernel: &str) {
    let answers = answers();
    let court = Court::on(kernel);
    let (mut kept, mut reused) = (None::<JudgeGuest>, 0);
    for answer in answers {
        let what = &answer.what;
        let expected = &fresh_verdicts()[what.as_str()];
        let guest = kept.take().and_then(JudgeGuest::clean_up);
        reused += usize::from(guest.is_some());
        let guest = guest.unwrap_or_else(|| court.start());
        let (checks, next) = judge_on(guest, answer);
        assert_eq!(
            name_verdicts(&checks),
            *expected,
            "{what} on {kernel}: {checks:#?}"
        );
        assert_eq!(next.is_some(), answer.is_tidy, "{what} on {kernel}");
        kept = next;
    }
    // All but the first, and those after an answer that has left something.
    let untidy = answers.iter().filter(|answer| !answer.is_tidy).count();
    assert_eq!(reused, answers.len() - 1 - untidy, "on {kernel}");
}

on_each_kernel!(verdicts_on);

/// Each of 20 right answers is found right in one guest, and then the guest is replaced.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_guest_does_not_judge_for_ever() {
    let court = Court::on(kernel::DEFAULT);
    let answer = of_course("06/block-list", Variant::Solution);
    let (mut guest, mut judged) = (Some(court.start()), 0);
    while let Some(waiting) = guest {
        let (checks, kept) = judge_on(waiting, &answer);
        let is_right = |check: &Checked| matches!(check.verdict, Verdict::Passed);
        assert!(checks.iter().all(is_right), "{judged}: {checks:?}");
        judged += 1;
        guest = kept.unwrap().clean_up();
    }
    assert_eq!(judged, 20);
}
