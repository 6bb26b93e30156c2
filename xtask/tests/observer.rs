//! What a step loads into the kernel is seen, however short it stays there.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::test_vm::TestVm;
use course::Implementation;
use course::catalog::{self, Lesson, StepPlace};
use kernel::MATRIX;
use plan::{Observed, Plan, Step};
use testvm::{Failure, Guest};
use xtask::pipeline::demo::Script;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn programs_that_are_gone_at_once_are_seen_with_their_cost() {
    let lessons = catalog::read_lessons().unwrap();
    let lesson = catalog::find_lesson(&lessons, "00").unwrap();
    for kernel in MATRIX {
        let mut guest = TestVm::on(kernel).with_lesson("00").start().guest;
        for implementation in Implementation::ALL {
            let [load, features] = &what_it_loads(&mut guest, lesson, implementation)[..] else {
                panic!()
            };
            assert_seen(
                &format!("{implementation} on {kernel}"),
                kernel,
                load,
                features,
            );
        }
    }
}

fn what_it_loads(
    guest: &mut Guest,
    lesson: &Lesson,
    implementation: Implementation,
) -> Vec<Observed> {
    let script = Script::of_demo(lesson, &[implementation], |place| {
        place == StepPlace::Kernel
    });
    let steps = script
        .plan
        .steps
        .into_iter()
        .map(|step| Step {
            observe: true,
            ..step
        })
        .collect();
    let report = guest
        .run_plan(&Plan { steps }, |_| Ok(()))
        .map_err(Failure::into_error)
        .unwrap();
    assert_eq!(report.left_behind, [""; 0], "{implementation}");
    assert_eq!(report.complaints, [""; 0], "{implementation}");
    report
        .steps
        .into_iter()
        .map(|step| step.observed.unwrap().unwrap())
        .collect()
}

/// `load` loads a program, runs it once and frees it, all within a few milliseconds. `features`
/// loads dozens of programs only to see whether the kernel takes them: each is gone in a fraction
/// of one.
fn assert_seen(what: &str, kernel: &str, load: &Observed, features: &Observed) {
    let what = format!("{what}: {load:?}, {features:?}");
    let intros: Vec<_> = load
        .programs
        .iter()
        .filter(|program| program.name == "intro")
        .collect();
    let [intro] = intros[..] else {
        panic!("{what}")
    };
    // `return XDP_PASS` is two instructions.
    assert_eq!((intro.xlated_prog_len, intro.run_cnt), (16, 1), "{what}");
    assert_eq!(
        intro.verified_insns,
        (kernel != "5.10").then_some(2),
        "{what}"
    );
    assert!(intro.jited_prog_len > 0 && intro.run_time_ns > 0, "{what}");
    assert!(features.without_btf > 50, "{what}");
    // In one of some 90 runs of this in an emulated VM, 6 were missed.
    assert!(
        load.missed == 0 && features.missed < features.without_btf / 5,
        "{what}"
    );
}
