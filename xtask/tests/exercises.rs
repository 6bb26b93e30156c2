//! Every exercise, in both languages, on every kernel: the starter fails as it should, the solution
//! is right, and a program that was emptied is not. The mistakes that people make are each refused
//! at the check that is about them: those that the judge sees in the object file on this machine,
//! the others on the default kernel.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod answers;
mod common;
mod mistakes;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use answers::RustAnswers;
use checkout::workspace;
use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::StepPlace;
use course::exercises::{self, Exercise, Starter, Variant};
use kernel::{Architecture, DEFAULT};
use mistakes::{Elf, Expected};
use testvm::Failure;
use xtask::pipeline::answer_build::{self, BuiltProgram};
use xtask::pipeline::judging::{self, Candidate, Checked, Verdict};
use xtask::pipeline::needs;

/// A program, and what the judge should make of it.
struct Case {
    exercise: Exercise,
    implementation: Implementation,
    program: BuiltProgram,
    architecture: Architecture,
    should: Should,
}

enum Should {
    Pass,
    /// There, with these words.
    FailAt(Starter),
    /// Every function returns this number, and does nothing else.
    NotPass(u8),
    /// It has this mistake; tried on one kernel.
    Mistake {
        name: &'static str,
        kernel: &'static str,
        verdict: Expected,
    },
}

/// All programs, built once for all tests of this file.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
        let exercises = exercises::read_exercises().unwrap();
        let variants = [Variant::Starter, Variant::Solution];
        let answers = RustAnswers::build(&exercises, &variants, Architecture::HOST);
        let each = exercises.iter().flat_map(|exercise| {
            exercise
                .offered_implementations()
                .map(move |implementation| (exercise, implementation))
        });
        each.flat_map(|(exercise, implementation)| cases_of(&answers, exercise, implementation))
            .collect()
    })
}

fn cases_of(
    answers: &RustAnswers,
    exercise: &Exercise,
    implementation: Implementation,
) -> Vec<Case> {
    let case = |program, should| Case {
        exercise: exercise.clone(),
        implementation,
        program,
        architecture: Architecture::HOST,
        should,
    };
    let build = |variant| answers.build_answer(exercise, implementation, variant);
    let what = format!("{} with {implementation}", exercise.name);
    let solution =
        build(Variant::Solution).unwrap_or_else(|said| panic!("{what}: the solution:\n{said}"));
    assert_eq!(solution.warnings, "", "{what}: warnings about the solution");
    let starter = &exercise.about.starter[&implementation];
    let mut cases = Vec::new();
    match build(Variant::Starter) {
        Err(said) if starter.fails_at == "builds" => {
            assert!(
                said.contains(&starter.message),
                "{what}: the compiler says of the starter:\n{said}"
            );
        }
        Err(said) => panic!("{what}: the starter does not build:\n{said}"),
        Ok(program) => cases.push(case(program, Should::FailAt(starter.clone()))),
    }
    let with_file = |file| BuiltProgram {
        file,
        ..solution.clone()
    };
    cases.extend(
        emptied(exercise, &solution.file)
            .into_iter()
            .map(|(file, value)| case(with_file(file), Should::NotPass(value))),
    );
    for mistake in mistakes_in(exercise, implementation, &solution.file) {
        let file = PathBuf::from(format!(
            "{}-{}",
            solution.file.display(),
            mistake.name.replace(' ', "-")
        ));
        std::fs::write(&file, &mistake.object).unwrap();
        let mistakes::Mistake {
            name,
            kernel,
            verdict,
            ..
        } = mistake;
        cases.push(case(
            with_file(file),
            Should::Mistake {
                name,
                kernel,
                verdict,
            },
        ));
    }
    cases.push(case(solution, Should::Pass));
    cases
}

fn mistakes_in(
    exercise: &Exercise,
    implementation: Implementation,
    solution: &Path,
) -> Vec<mistakes::Mistake> {
    // What it tells of a file for the kernel; a user-space program is none.
    if exercise.about.place == StepPlace::Here || exercise.has_user_program() {
        return Vec::new();
    }
    let in_c = match implementation {
        Implementation::Aya => {
            let variant = Variant::Solution;
            answer_build::build_answer(
                exercise,
                Implementation::Libbpf,
                variant,
                Architecture::HOST,
            )
            .unwrap()
            .unwrap()
            .file
        }
        Implementation::Libbpf => solution.to_owned(),
    };
    let [solution, in_c] = [solution, &in_c].map(|path| std::fs::read(path).unwrap());
    mistakes::mistakes(exercise, implementation, &solution, &in_c)
}

/// What somebody would hand in who hopes that nobody looks.
fn emptied(exercise: &Exercise, solution: &Path) -> Vec<(PathBuf, u8)> {
    if exercise.about.place == StepPlace::Here {
        // One prints nothing, the other its input.
        return vec![("/bin/true".into(), 0), ("/bin/cat".into(), 0)];
    }
    if exercise.has_user_program() {
        return vec![(says_done().to_owned(), 1)];
    }
    let bytes = std::fs::read(solution).unwrap();
    let write = |value: u8| {
        let path = PathBuf::from(format!("{}-emptied-{value}", solution.display()));
        let mut elf = Elf::read(&bytes);
        elf.empty_functions(value);
        std::fs::write(&path, elf.bytes()).unwrap();
        (path, value)
    };
    [0, 1, 2].map(write).to_vec()
}

/// Built once.
fn says_done() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = workspace::target_directory().join("exercises/says-done");
        let source = workspace::workspace_root().join("xtask/tests/mistakes/says_done.rs");
        let mut rustc = Command::new("rustc");
        // One copy for each answer goes into the guest's memory.
        rustc.args(["-O", "-Cstrip=symbols"]).arg(source);
        let rustc = rustc.arg("-o").arg(&program).status();
        assert!(rustc.unwrap().success());
        program
    })
}

fn exercises_on(kernel: &str) {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let cases: Vec<&Case> = cases().iter().filter(|case| case.is_for(kernel)).collect();
    let candidates = candidates_of(&cases);
    judge_cases(&cases, &candidates, TestVm::on(kernel));
}

/// Lets the judge look at all of them in one guest: it must say of each what it should.
fn judge_cases(cases: &[&Case], candidates: &[Candidate], vm: TestVm) {
    let judge = judging::build_judge(cases[0].architecture).unwrap();
    let programs = judging::pack_judge(&judge, candidates).unwrap();
    let mut started = vm.start_with(&programs);
    let judged = judging::judge_in_guest(&mut started.guest, candidates);
    let judged = judged.map_err(Failure::into_error).unwrap().checks;
    assert_eq!(judged.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&judged)
        .filter_map(|(case, checks)| case.surprise(checks, &started.release))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The solutions, and the starters where all kernels are asked.
#[test]
#[ignore = "needs a VM: XTASK_ARM64=all cargo test -p xtask --test exercises -- --ignored"]
fn on_arm64() {
    needs::ensure_needs(&needs::build_needs(Architecture::Arm64)).unwrap();
    let kernels = common::arm64_kernels(&[DEFAULT]);
    let variants = match kernels.len() {
        1 => &[Variant::Solution][..],
        _ => &[Variant::Solution, Variant::Starter],
    };
    let cases = cases_on_arm64(variants);
    for kernel in kernels {
        let is_for = |case: &&Case| case.exercise.is_for(kernel, Architecture::Arm64);
        let cases: Vec<&Case> = cases.iter().filter(is_for).collect();
        let vm = TestVm::of_architecture(kernel, Architecture::Arm64);
        judge_cases(&cases, &candidates_of(&cases), vm);
    }
}

fn cases_on_arm64(variants: &[Variant]) -> Vec<Case> {
    let mut exercises = exercises::read_exercises().unwrap();
    exercises.retain(|exercise| exercise.about.place == StepPlace::Kernel);
    let answers = RustAnswers::build(&exercises, variants, Architecture::Arm64);
    let mut cases = Vec::new();
    for exercise in &exercises {
        for (implementation, starter) in &exercise.about.starter {
            for variant in variants {
                // That a starter does not build has been seen on this machine's architecture.
                let Ok(program) = answers.build_answer(exercise, *implementation, *variant) else {
                    assert_eq!(*variant, Variant::Starter, "{}", exercise.name);
                    continue;
                };
                cases.push(Case {
                    exercise: exercise.clone(),
                    implementation: *implementation,
                    program,
                    architecture: Architecture::Arm64,
                    should: match variant {
                        Variant::Starter => Should::FailAt(starter.clone()),
                        _ => Should::Pass,
                    },
                });
            }
        }
    }
    cases
}

fn candidates_of<'a>(cases: &[&'a Case]) -> Vec<Candidate<'a>> {
    let numbered = cases.iter().enumerate();
    let candidates = numbered.map(|(number, case)| case.candidate(number.to_string()));
    candidates.collect()
}

impl Case {
    fn candidate(&self, name: String) -> Candidate<'_> {
        let Self {
            exercise,
            implementation,
            program,
            ..
        } = self;
        Candidate {
            exercise,
            implementation: *implementation,
            name,
            file: program.file.clone(),
            object: program.object.clone(),
            architecture: self.architecture,
        }
    }

    fn is_for(&self, kernel: &str) -> bool {
        let only_on = match self.should {
            Should::NotPass(1..) => Some(DEFAULT),
            Should::Mistake { kernel, .. } => Some(kernel),
            _ => None,
        };
        self.exercise.about.place == StepPlace::Kernel
            && !self.needs_no_kernel()
            && self.exercise.is_for(kernel, Architecture::HOST)
            && only_on.is_none_or(|only| only == kernel)
    }

    /// The judge reads the object file, and should refuse it for what it finds there.
    fn needs_no_kernel(&self) -> bool {
        let Should::Mistake {
            verdict: Expected::Refused { at, .. },
            ..
        } = self.should
        else {
            return false;
        };
        at == judging::FITS
    }

    /// Where the judge did not say what it should have said.
    fn surprise(&self, checks: &[Checked], place: &str) -> Option<String> {
        let failure = checks
            .iter()
            .find(|check| !matches!(check.verdict, Verdict::Passed));
        let what = format!(
            "{} with {} on {place}",
            self.exercise.name, self.implementation
        );
        match (&self.should, failure) {
            (Should::Pass, None) => None,
            (Should::Pass, Some(check)) => Some(format!("{what}: the solution: {}", told(check))),
            (_, None) if checks.is_empty() => Some(format!("{what}: the judge said nothing")),
            (Should::FailAt(_), None) => Some(format!("{what}: the starter is right already")),
            (Should::FailAt(starter), Some(check)) => {
                let as_stated =
                    check.name == starter.fails_at && said(check).contains(&starter.message);
                (!as_stated)
                    .then(|| format!("{what}: the starter should fail otherwise: {}", told(check)))
            }
            (Should::NotPass(value), None) => {
                Some(format!("{what}: `return {value}` is taken as right"))
            }
            // The patched object itself must be sound, or this would prove nothing.
            (Should::NotPass(0), Some(check)) if self.is_before_the_exercise(check) => {
                Some(format!(
                    "{what}: `return 0` does not come as far as the judge's own checks: {}",
                    told(check)
                ))
            }
            (Should::NotPass(_), Some(_)) => None,
            (
                Should::Mistake {
                    verdict: Expected::Right,
                    ..
                },
                None,
            ) => None,
            (
                Should::Mistake {
                    name,
                    verdict: Expected::Right,
                    ..
                },
                Some(check),
            ) => Some(format!(
                "{what}: {name}, which is no mistake here: {}",
                told(check)
            )),
            (
                Should::Mistake {
                    name,
                    verdict: Expected::Refused { at, .. },
                    ..
                },
                None,
            ) => Some(format!(
                "{what}: {name}: is taken as right, and should be refused at '{at}'"
            )),
            (
                Should::Mistake {
                    name,
                    verdict: Expected::Refused { at, words },
                    ..
                },
                Some(check),
            ) => {
                let is_named = words.iter().all(|word| said(check).contains(word));
                let is_right = check.name == *at && is_named;
                (!is_right).then(|| {
                    format!(
                        "{what}: {name}: should be refused at '{at}' with {words:?}: {}",
                        told(check)
                    )
                })
            }
        }
    }

    fn is_before_the_exercise(&self, check: &Checked) -> bool {
        let loads = judging::can_load(&self.implementation.to_string());
        [judging::FITS, &loads, judging::ACCEPTED, judging::ATTACHED].contains(&check.name.as_str())
    }
}

fn said(check: &Checked) -> String {
    match &check.verdict {
        Verdict::Passed | Verdict::NotRun => String::new(),
        Verdict::Failed { why } => why.clone(),
        Verdict::Rejected(rejection) => {
            let note = rejection.note.as_deref().unwrap_or_default();
            [rejection.log.as_str(), note].join("\n")
        }
    }
}

/// With the end of a long log.
fn told(check: &Checked) -> String {
    let said = said(check);
    let lines: Vec<&str> = said.lines().collect();
    format!(
        "{}: {}",
        check.name,
        lines[lines.len().saturating_sub(30)..].join("\n")
    )
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn on_this_machine() {
    let judge = judging::build_judge_here().unwrap();
    let cases = cases()
        .iter()
        .filter(|case| case.exercise.about.place == StepPlace::Here);
    let wrong: Vec<String> = cases
        .filter_map(|case| {
            let candidate = case.candidate("answer".to_owned());
            case.surprise(
                &judging::judge_here(&judge, &candidate).unwrap(),
                "this machine",
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn what_does_not_fit_the_task_is_refused_before_it_is_loaded() {
    let judge = judging::build_judge(Architecture::HOST).unwrap();
    let cases: Vec<&Case> = cases()
        .iter()
        .filter(|case| case.needs_no_kernel())
        .collect();
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|case| {
            let candidate = case.candidate("answer".to_owned());
            case.surprise(
                &judging::judge_fit_here(&judge, &candidate).unwrap(),
                "this machine",
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// In a checkout where somebody learns, the answers are his.
#[test]
fn the_answers_are_the_starters() {
    if course::progress::progress_file().exists() {
        let why = "somebody learns in this checkout: it has a record of progress";
        return common::skip("the answers are the starters", why);
    }
    for exercise in exercises::read_exercises().unwrap() {
        for implementation in exercise.offered_implementations() {
            assert!(
                !exercise.is_begun(implementation),
                "{} with {implementation}",
                exercise.name
            );
        }
    }
}

on_each_kernel!(exercises_on);
