//! What a step loads into the kernel is seen, however short it stays there.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use plan::{Observed, Plan, Step};
use xtask::build;
use xtask::catalog::{self, Implementation};
use xtask::demo::{self, Script};
use xtask::kernel::MATRIX;
use xtask::setup::{self, Need};
use xtask::vm::{self, Failure};

/// A program that is loaded and freed within a few milliseconds, and hundreds that a library loads only to see
/// whether the kernel takes them: those are gone in a fraction of one.
fn what_lesson_00_loads(kernel: &str, implementation: Implementation) -> Vec<Observed> {
    let lessons = catalog::lessons().unwrap();
    let lesson = catalog::find(&lessons, "00").unwrap();
    setup::ensure(&[&demo::BUILD_NEEDS[..], &[Need::Qemu, Need::Kernel(kernel.into())]].concat()).unwrap();
    let program = build::lesson(lesson).unwrap();
    let machine = demo::machine(&setup::kernels::get(kernel).unwrap()).unwrap();
    let programs = demo::programs(&[&program]).unwrap();
    let mut guest = vm::start(&machine, &programs).map_err(Failure::into_error).unwrap().guest;
    let script = Script::of_demo(lesson, &[implementation], |place| place == catalog::Place::Kernel);
    let steps = script.plan.steps.into_iter().map(|step| Step { observe: true, ..step }).collect();
    let report = guest.run(&Plan { steps }, |_| Ok(())).map_err(Failure::into_error).unwrap();
    assert_eq!(report.left_behind, [""; 0], "{implementation} on {kernel}");
    assert_eq!(report.complaints, [""; 0], "{implementation} on {kernel}");
    report.steps.into_iter().map(|step| step.observed.unwrap().unwrap()).collect()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn programs_that_are_gone_at_once_are_seen_with_their_cost() {
    for (kernel, implementation) in MATRIX
        .into_iter()
        .flat_map(|kernel| Implementation::ALL.map(|implementation| (kernel, implementation)))
    {
        let [load, features] = &what_lesson_00_loads(kernel, implementation)[..] else { panic!() };
        let what = format!("{implementation} on {kernel}: {load:?}, {features:?}");
        let [intro] = &load.programs.iter().filter(|program| program.name == "intro").collect::<Vec<_>>()[..]
        else {
            panic!("{what}")
        };
        // `return XDP_PASS` is two instructions; the test run ran them once.
        assert_eq!((intro.translated_bytes, intro.runs), (16, 1), "{what}");
        assert_eq!(intro.verified, (kernel != "5.10").then_some(2), "{what}");
        assert!(intro.jited_bytes > 0 && intro.nanoseconds > 0, "{what}");
        assert!(features.without_btf > 50, "{what}");
        assert_eq!((load.missed, features.missed), (0, 0), "{what}");
    }
}
