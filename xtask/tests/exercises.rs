//! Every exercise, in both languages, on every kernel: the starter fails as it should, the solution is right, and a
//! program that was emptied is not.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionIndex, SymbolKind};
use xtask::catalog::{Implementation, Place};
use xtask::exercises::build::Program;
use xtask::exercises::judging::{self, Candidate, Checked, Verdict};
use xtask::exercises::{self, Exercise, Starter, Variant, build};
use xtask::kernel::DEFAULT;
use xtask::setup::{self, Need};
use xtask::vm::{self, Failure};
use xtask::{demo, kernel};

/// A program, and what the judge should make of it.
struct Case {
    exercise: Exercise,
    implementation: Implementation,
    file: PathBuf,
    should: Should,
}

enum Should {
    Pass,
    /// There, with these words.
    FailAt(Starter),
    /// Every function returns this number, and does nothing else.
    NotPass(u8),
}

/// All programs, built once for all tests of this file.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        setup::ensure(&demo::BUILD_NEEDS).unwrap();
        let exercises = exercises::exercises().unwrap();
        let each = exercises.iter().flat_map(|exercise| {
            exercise.implementations().map(move |implementation| (exercise, implementation))
        });
        each.flat_map(|(exercise, implementation)| cases_of(exercise, implementation)).collect()
    })
}

fn cases_of(exercise: &Exercise, implementation: Implementation) -> Vec<Case> {
    let case = |file, should| Case { exercise: exercise.clone(), implementation, file, should };
    let build = |variant| build::build(exercise, implementation, variant).unwrap();
    let what = format!("{} with {implementation}", exercise.name);
    let solution = build(Variant::Solution).unwrap_or_else(|said| panic!("{what}: the solution:\n{said}"));
    assert_eq!(solution.warnings, "", "{what}: warnings about the solution");
    let solution = solution.file;
    let starter = &exercise.about.starter[&implementation];
    let mut cases = Vec::new();
    match build(Variant::Starter) {
        Err(said) if starter.fails_at == "builds" => {
            assert!(said.contains(&starter.message), "{what}: the compiler says of the starter:\n{said}");
        }
        Err(said) => panic!("{what}: the starter does not build:\n{said}"),
        Ok(Program { file, warnings }) => {
            assert_eq!(warnings, "", "{what}: a learner would meet warnings that are not his");
            cases.push(case(file, Should::FailAt(starter.clone())));
        }
    }
    cases.extend(
        emptied(exercise, &solution).into_iter().map(|(file, value)| case(file, Should::NotPass(value))),
    );
    cases.push(case(solution, Should::Pass));
    cases
}

/// What somebody would hand in who hopes that nobody looks.
fn emptied(exercise: &Exercise, solution: &Path) -> Vec<(PathBuf, u8)> {
    if exercise.about.place == Place::Here {
        // One prints nothing, the other its input.
        return vec![("/bin/true".into(), 0), ("/bin/cat".into(), 0)];
    }
    let bytes = std::fs::read(solution).unwrap();
    let write = |value: u8| {
        let path = PathBuf::from(format!("{}-emptied-{value}", solution.display()));
        std::fs::write(&path, with_empty_functions(&bytes, value)).unwrap();
        (path, value)
    };
    [0, 1, 2].map(write).to_vec()
}

/// Writes `r0 = value; exit` over every function of an object file, and takes back what the loader would write into it.
fn with_empty_functions(object: &[u8], value: u8) -> Vec<u8> {
    const INSTRUCTION: usize = 8;
    let file = object::File::parse(object).unwrap();
    let mut bytes = object.to_vec();
    let mut code: Vec<SectionIndex> = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
        let begin = (section.file_range().unwrap().0 + symbol.address()) as usize;
        let function = &mut bytes[begin..begin + symbol.size() as usize];
        let (last, before) = function.split_last_chunk_mut::<INSTRUCTION>().map(|(a, b)| (b, a)).unwrap();
        before
            .chunks_mut(INSTRUCTION)
            .for_each(|chunk| chunk.copy_from_slice(&[0xb7, 0, 0, 0, value, 0, 0, 0]));
        last.copy_from_slice(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
        code.push(section.index());
    }
    let table = u64::from_le_bytes(object[40..48].try_into().unwrap()) as usize;
    for header in bytes[table..].chunks_exact_mut(64) {
        let field = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (kind, target) = (field(4), field(44));
        // SHT_REL, of a section of code: it has no entries any more.
        if kind == 9 && code.contains(&SectionIndex(target as usize)) {
            header[32..40].fill(0);
        }
    }
    if let Some(types) = file.section_by_name(".BTF.ext") {
        // The length of what CO-RE would correct.
        let length = types.file_range().unwrap().0 as usize + 28;
        bytes[length..length + 4].fill(0);
    }
    bytes
}

fn exercises_on(kernel: &str) {
    setup::ensure(&[&demo::BUILD_NEEDS[..], &[Need::Qemu, Need::Kernel(kernel.into())]].concat()).unwrap();
    let cases: Vec<&Case> = cases().iter().filter(|case| case.is_for(kernel)).collect();
    let candidates: Vec<Candidate> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| Candidate {
            exercise: &case.exercise,
            implementation: case.implementation,
            name: number.to_string(),
            file: case.file.clone(),
        })
        .collect();
    let programs = judging::programs(&judging::judge().unwrap(), &candidates).unwrap();
    let machine = demo::machine(&setup::kernels::get(kernel).unwrap()).unwrap();
    let mut started = vm::start(&machine, &programs).map_err(Failure::into_error).unwrap();
    let judged = judging::in_guest(&mut started.guest, &candidates).map_err(Failure::into_error).unwrap();
    assert_eq!(judged.len(), cases.len());
    let wrong: Vec<String> =
        cases.iter().zip(&judged).filter_map(|(case, checks)| case.surprise(checks, kernel)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Case {
    fn is_for(&self, kernel: &str) -> bool {
        let many = matches!(self.should, Should::NotPass(value) if value > 0);
        self.exercise.about.place == Place::Kernel
            && self.exercise.kernels().any(|name| name == kernel)
            && (!many || kernel == DEFAULT)
    }

    /// Where the judge did not say what it should have said.
    fn surprise(&self, checks: &[Checked], place: &str) -> Option<String> {
        let failure = checks.iter().find(|check| !matches!(check.verdict, Verdict::Passed));
        let what = format!("{} with {} on {place}", self.exercise.name, self.implementation);
        match (&self.should, failure) {
            (Should::Pass, None) => None,
            (Should::Pass, Some(check)) => Some(format!("{what}: the solution: {}", told(check))),
            (_, None) if checks.is_empty() => Some(format!("{what}: the judge said nothing")),
            (Should::FailAt(_), None) => Some(format!("{what}: the starter is right already")),
            (Should::FailAt(starter), Some(check)) => {
                let as_stated = check.name == starter.fails_at && said(check).contains(&starter.message);
                (!as_stated).then(|| format!("{what}: the starter should fail otherwise: {}", told(check)))
            }
            (Should::NotPass(value), None) => Some(format!("{what}: `return {value}` is taken as right")),
            // The patched object itself must be sound, or this would prove nothing.
            (Should::NotPass(0), Some(check))
                if check.name == judging::ACCEPTED || check.name == judging::ATTACHED =>
            {
                Some(format!(
                    "{what}: `return 0` does not come as far as the judge's own checks: {}",
                    told(check)
                ))
            }
            (Should::NotPass(_), Some(_)) => None,
        }
    }
}

fn said(check: &Checked) -> &str {
    match &check.verdict {
        Verdict::Passed | Verdict::NotRun => "",
        Verdict::Failed { why } => why,
        Verdict::Rejected { log, .. } => log,
    }
}

/// With the end of a long log.
fn told(check: &Checked) -> String {
    let lines: Vec<&str> = said(check).lines().collect();
    format!("{}: {}", check.name, lines[lines.len().saturating_sub(30)..].join("\n"))
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn on_this_machine() {
    let judge = judging::judge_here().unwrap();
    let cases = cases().iter().filter(|case| case.exercise.about.place == Place::Here);
    let wrong: Vec<String> = cases
        .filter_map(|case| {
            let name = "answer".to_owned();
            let candidate = Candidate {
                exercise: &case.exercise,
                implementation: case.implementation,
                name,
                file: case.file.clone(),
            };
            case.surprise(&judging::here(&judge, &candidate).unwrap(), "this machine")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// In a checkout where somebody learns, the answers are his.
#[test]
fn the_answers_are_the_starters() {
    if exercises::progress::path().exists() {
        return;
    }
    for exercise in exercises::exercises().unwrap() {
        for implementation in exercise.implementations() {
            assert!(!exercise.is_begun(implementation), "{} with {implementation}", exercise.name);
        }
    }
}

#[test]
fn every_kernel_is_tested() {
    assert_eq!(kernel::MATRIX, ["5.10", "6.1", "6.12", "6.18", "7.3"]);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_5_10() {
    exercises_on("5.10");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_6_1() {
    exercises_on("6.1");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_6_12() {
    exercises_on("6.12");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_6_18() {
    exercises_on("6.18");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_7_3() {
    exercises_on("7.3");
}
