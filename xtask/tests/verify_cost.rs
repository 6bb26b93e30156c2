//! `verify --cost` in VMs: what it counts is what the kernel counts, and what it advises makes
//! programs cheaper.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use checkout::workspace;
use common::{Run, stderr, stdout};
use kernel::Architecture;
use serde_json::Value;
use xtask::commands::gallery;
use xtask::pipeline::needs;

/// Name of the object, source, and what the compiler is told.
const OBJECTS: [(&str, &str, &[&str]); 6] = [
    ("rounds.o", "rounds", &[]),
    ("rounds-loop.o", "rounds", &["-DBPF_LOOP"]),
    ("calls.o", "calls", &[]),
    ("calls-global.o", "calls", &["-DGLOBAL"]),
    ("flags.o", "flags", &[]),
    ("flags-straight.o", "flags", &["-DWITHOUT_BRANCHES"]),
];

fn build_objects(directory: &Path) {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let root = workspace::workspace_root();
    for (object, source, flags) in OBJECTS {
        let mut clang = Command::new(root.join(".cache/bin/clang"));
        clang
            .args(["-target", "bpf", "-O2", "-g", "-c"])
            .args(flags);
        clang.arg(root.join(format!("xtask/tests/programs/cost/{source}.bpf.c")));
        clang.arg("-o").arg(directory.join(object));
        assert!(clang.status().unwrap().success(), "{object}");
    }
    let gallery = gallery::build_objects(Architecture::HOST).unwrap();
    std::fs::write(
        directory.join("rust.o"),
        &gallery["packet-bounds-fixed.rust.o"],
    )
    .unwrap();
}

fn verify(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let common = ["verify", "--cost", "--load-only"];
    let mut run = Run::new(&[&common[..], arguments].concat());
    let output = run.command.current_dir(directory).output().unwrap();
    assert_eq!(run.left_behind(), [""; 0]);
    (
        output.status.code().unwrap(),
        stdout(&output),
        stderr(&output),
    )
}

/// Verdicts by object and kernel.
struct Verdicts(BTreeMap<(String, String), Value>);

impl Verdicts {
    fn read(lines: &str) -> Self {
        let mut verdicts = BTreeMap::new();
        for line in lines.lines() {
            let verdict: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| verdict[field].as_str().unwrap().to_owned();
            verdicts.insert((text("object"), text("kernel")), verdict);
        }
        Self(verdicts)
    }

    fn cost(&self, object: &str, kernel: &str) -> &Value {
        &self.0[&(object.to_owned(), kernel.to_owned())]["cost"]
    }

    fn insns(&self, object: &str, kernel: &str) -> u64 {
        self.cost(object, kernel)["processed"].as_u64().unwrap()
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn advice_makes_programs_cheaper() {
    let directory = tempfile::tempdir().unwrap();
    build_objects(directory.path());
    let names = OBJECTS.map(|(object, ..)| object);
    let arguments = [&names[..], &["rust.o", "--json", "--kernel", "5.10,7.3"]].concat();
    let (_, all, errors) = verify(directory.path(), &arguments);
    assert_eq!(all.lines().count(), 14, "{errors}");
    let verdicts = Verdicts::read(&all);
    for kernel in ["5.10", "7.3"] {
        counts_are_the_kernels(&verdicts, kernel);
        let better = |before: &str, after: &str, kind: &str, times: u64| {
            assert_eq!(
                verdicts.cost(before, kernel)["advice"][0]["kind"],
                kind,
                "{kernel}"
            );
            let (before, after) = (
                verdicts.insns(before, kernel),
                verdicts.insns(after, kernel),
            );
            assert!(
                after * times < before,
                "{kind} on {kernel}: {before} to {after}"
            );
        };
        better("calls.o", "calls-global.o", "repeated-function", 5);
        better("flags.o", "flags-straight.o", "meeting-paths", 20);
        // Kernels before 5.17 lack bpf_loop(), and get no advice to use it.
        if kernel == "7.3" {
            better("rounds.o", "rounds-loop.o", "loop-rounds", 5);
        }
    }
    budgets_and_comparisons(directory.path(), &all);
}

fn counts_are_the_kernels(verdicts: &Verdicts, kernel: &str) {
    for ((object, of_kernel), verdict) in &verdicts.0 {
        if of_kernel != kernel || verdict["verdict"] != "accepted" {
            continue;
        }
        let cost = &verdict["cost"];
        assert_eq!(cost["share"], "whole", "{object} on {kernel}: {verdict}");
        // Before 5.16, the kernel tells it in the log only, which aya does not hand out.
        if !verdict["processed"].is_null() {
            assert_eq!(
                cost["processed"], verdict["processed"],
                "{object} on {kernel}"
            );
        }
        assert_eq!(cost["shown"], cost["processed"], "{object} on {kernel}");
    }
}

fn budgets_and_comparisons(directory: &Path, earlier: &str) {
    std::fs::write(directory.join("old.json"), earlier).unwrap();
    std::fs::copy(directory.join("calls-global.o"), directory.join("calls.o")).unwrap();
    let objects = ["calls.o", "flags.o", "--kernel", "7.3", "--budget", "1000"];
    let arguments = [&objects[..], &["--compare", "old.json"]].concat();
    let (exit, text, errors) = verify(directory, &arguments);
    assert_eq!(exit, 1, "{errors}");
    assert!(
        errors.contains("over the budget of 1,000: flags of flags.o on 7.3 took"),
        "{errors}"
    );
    assert!(!errors.contains("calls of calls.o"), "{errors}");
    insta::assert_snapshot!(text);
    assert!(
        text.contains("calls of calls.o on 7.3: 1,383 instructions, now 200"),
        "{text}"
    );
}
