//! Exercises whose answers have several files: what the learner's tool prints about a program that
//! the verifier rejected is explained, and no command forgets one of the files.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use checkout::workspace;
use common::checkout_copy::CheckoutCopy;
use common::{stderr, stdout};
use course::Implementation;
use course::exercises::{self, Exercise, Variant};

/// The learner writes both of its files.
const NAME: &str = "07/own-tool";

struct Learner {
    exercise: Exercise,
    checkout: CheckoutCopy,
    progress: tempfile::TempDir,
}

impl Learner {
    /// All answers are the starters.
    fn begin() -> Self {
        let exercises = exercises::read_exercises().unwrap();
        let learner = Self {
            exercise: exercises::find_exercise(&exercises, NAME).unwrap().clone(),
            checkout: CheckoutCopy::open(),
            progress: tempfile::tempdir().unwrap(),
        };
        for implementation in Implementation::ALL {
            learner.copy(Variant::Starter, implementation);
        }
        learner
    }

    /// The user-space program and the eBPF program.
    fn paths(&self, variant: Variant, implementation: Implementation) -> [PathBuf; 2] {
        let paths = self.exercise.source_paths(variant, implementation);
        let paths: Vec<_> = paths.iter().map(|path| self.checkout.path(path)).collect();
        paths.try_into().unwrap()
    }

    fn texts(&self, variant: Variant, implementation: Implementation) -> [String; 2] {
        self.paths(variant, implementation)
            .map(|path| fs::read_to_string(path).unwrap())
    }

    fn copy(&self, from: Variant, implementation: Implementation) {
        let answers = self.paths(Variant::Answer, implementation);
        for (path, text) in answers.iter().zip(self.texts(from, implementation)) {
            fs::write(path, text).unwrap();
        }
    }

    /// Types a command: its exit code, and all that it said.
    fn types(&self, arguments: &[&str]) -> (i32, String) {
        let mut run = self.checkout.run(arguments);
        run.command
            .env("XTASK_PROGRESS", self.progress.path())
            .stdin(Stdio::null());
        let output = run.output();
        assert_eq!(run.left_behind(), [""; 0]);
        let said = stdout(&output) + &stderr(&output);
        (output.status.code().unwrap(), said)
    }

    /// The texts that were kept, sorted.
    fn kept(&self) -> Vec<String> {
        let directory = workspace::workspace_root().join(".kept");
        let directory = directory.join(self.exercise.base_name());
        let entries = fs::read_dir(self.checkout.path(&directory)).unwrap();
        let mut texts: Vec<_> = entries
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        texts.sort();
        texts
    }
}

/// What takes the comparison with null out of a solution.
const WITHOUT_COMPARISON: [(Implementation, &str, &str, &str); 2] = [
    (
        Implementation::Aya,
        "let counts = find_counts(&name)?;",
        "let counts = unsafe { find_counts(&name).unwrap_unchecked() };",
        "let number = if result < 0 {",
    ),
    (
        Implementation::Libbpf,
        "\tif (!counts)\n\t\treturn 0;\n",
        "",
        "if (ctx->result < 0)",
    ),
];

/// The log reaches the judge through what the learner's own program prints; on 5.10 a log names no
/// file.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_rejected_program_is_explained() {
    let learner = Learner::begin();
    for (implementation, right, wrong, line) in WITHOUT_COMPARISON {
        learner.copy(Variant::Solution, implementation);
        let [_, program] = learner.paths(Variant::Answer, implementation);
        let [_, solution] = learner.texts(Variant::Solution, implementation);
        assert_eq!(solution.matches(right).count(), 1, "{solution}");
        let answer = solution.replace(right, wrong);
        let at = answer.lines().position(|text| text.trim() == line).unwrap() + 1;
        fs::write(&program, answer).unwrap();

        let language = implementation.to_string();
        let check = ["check", NAME, "--impl", &language, "--kernel", "5.10"];
        let (code, said) = learner.types(&check);
        assert_eq!(code, 1, "{said}");
        let file = exercise_file(&learner, &program);
        let source = format!("--> {file}:{at}:");
        let message = "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first";
        for expected in [message, &source, line, "cargo xtask explain --last"] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let (code, said) = learner.types(&["explain", "--last"]);
        assert_eq!(code, 0, "{said}");
        for expected in [message, &source, &format!("{NAME}, {language}")] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}

const STORES: &str = "openat_ends loads a number, adds to it, and stores it";
const UPDATES: &str = "openat_ends adds to a number that it has from a map, and writes the sum \
    with bpf_map_update_elem";

/// What makes the additions of a solution lose what another CPU adds, and what is said of it.
const NOT_ATOMIC: [(Implementation, &str, &str, &str); 4] = [
    (
        Implementation::Aya,
        "atomic_xadd::<u64, u64, { Relaxed }>(number, 1);",
        "*number += 1;",
        STORES,
    ),
    (
        Implementation::Libbpf,
        "__sync_fetch_and_add(&counts->failed, 1);",
        "counts->failed += 1;",
        STORES,
    ),
    (
        Implementation::Aya,
        "atomic_xadd::<u64, u64, { Relaxed }>(number, 1);",
        "let mut next = Counts { succeeded: (*counts).succeeded, failed: (*counts).failed };
         if result < 0 { next.failed += 1 } else { next.succeeded += 1 }
         let _ = (number, COUNTS.insert(name, next, 0));",
        UPDATES,
    ),
    (
        Implementation::Libbpf,
        "__sync_fetch_and_add(&counts->failed, 1);",
        "{
             struct counts next = *counts;
             next.failed++;
             bpf_map_update_elem(&COUNTS, &name, &next, BPF_ANY);
         }",
        UPDATES,
    ),
];

/// In an emulated VM they lose nothing.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn an_addition_that_loses_updates_is_refused() {
    let learner = Learner::begin();
    for (implementation, right, wrong, why) in NOT_ATOMIC {
        learner.copy(Variant::Solution, implementation);
        let [_, program] = learner.paths(Variant::Answer, implementation);
        let [_, solution] = learner.texts(Variant::Solution, implementation);
        assert_eq!(solution.matches(right).count(), 1, "{solution}");
        fs::write(&program, solution.replace(right, wrong)).unwrap();
        let (code, said) = learner.types(&["check", NAME, "--impl", &implementation.to_string()]);
        assert_eq!(code, 1, "{said}");
        for expected in ["✗ loses no call when all CPUs call at once", why] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}

/// As the tool names it.
fn exercise_file(learner: &Learner, path: &Path) -> String {
    let root = learner.checkout.path(workspace::workspace_root());
    path.strip_prefix(root).unwrap().display().to_string()
}

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn both_files_of_an_answer_are_kept_and_come_back() {
    let learner = Learner::begin();
    for implementation in Implementation::ALL {
        let language = implementation.to_string();
        let answer = learner.paths(Variant::Answer, implementation);
        let [starter, solution] = [Variant::Starter, Variant::Solution]
            .map(|variant| learner.texts(variant, implementation));
        let texts = || learner.texts(Variant::Answer, implementation);

        // Both changed.
        let own = [0, 1].map(|number| format!("// {language} {number}\n"));
        for (path, text) in answer.iter().zip(&own) {
            fs::write(path, text).unwrap();
        }
        let apply = ["solution", NAME, "--impl", &language, "--apply", "--yes"];
        let (code, said) = learner.types(&apply);
        assert_eq!((code, texts()), (0, solution.clone()), "{said}");
        for text in &own {
            assert!(learner.kept().contains(text), "{:?}", learner.kept());
        }

        // One changed: the other stays, and there is no copy of it.
        fs::write(&answer[0], &starter[0]).unwrap();
        let before = learner.kept().len();
        let (code, said) = learner.types(&["reset", NAME, "--yes"]);
        assert_eq!((code, texts()), (0, starter.clone()), "{said}");
        assert_eq!(learner.kept().len(), before + 1, "{said}");
        assert!(learner.kept().contains(&solution[1]), "{said}");

        // One is gone.
        for (path, name) in answer.iter().zip(["the first", "the second"]) {
            fs::remove_file(path).unwrap();
            let (code, said) = learner.types(&["check", NAME, "--impl", &language]);
            let file = exercise_file(&learner, path);
            let (gone, copy) = (
                format!("{file} is gone"),
                format!("{file}    (this file alone)"),
            );
            assert!(code == 2 && said.contains(&gone), "{name}: {said}");
            assert!(said.contains(&copy), "{name}: {said}");
            let (code, said) = learner.types(&["reset", NAME, "--yes"]);
            assert_eq!((code, texts()), (0, starter.clone()), "{name}: {said}");
        }
    }
}
