//! Lesson 01 with aya-log: the text that the kernel puts together, on every kernel.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::shell;
use course::catalog;
use kernel::MATRIX;
use requirements::kernels::find_kernel;
use requirements::{GuestTools, Need, Qemu, guest_tools, require_kernel};
use testvm::{Failure, image};
use xtask::pipeline::{build, demo, needs};

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn aya_log_says_the_same_on_every_kernel() {
    for kernel in MATRIX {
        let printed = printed_by_aya_log(kernel);
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.add_filter(r"pid=\d+", "pid=1234");
        settings.bind(|| insta::assert_snapshot!("aya_log", printed));
    }
}

fn printed_by_aya_log(kernel: &str) -> String {
    let needs: [Need; 3] = [&Qemu, &GuestTools, require_kernel(kernel).unwrap()];
    needs::ensure_needs(&[&needs::BUILD_NEEDS[..], &needs].concat()).unwrap();
    let lessons = catalog::read_lessons().unwrap();
    let lesson = build::build_lesson(catalog::find_lesson(&lessons, "01").unwrap()).unwrap();
    let mut archive = demo::collect_programs(&[lesson.as_ref()]).unwrap();
    image::add_tools(&mut archive, &guest_tools::find_tools().unwrap()).unwrap();
    let machine = demo::describe_machine(&find_kernel(kernel).unwrap()).unwrap();
    let started =
        testvm::start_guest(&machine, &archive.finish().unwrap()).map_err(Failure::into_error);
    let (report, printed) = common::run(&mut started.unwrap(), vec![shell("hello-kprobe --log")]);
    let report = report.map_err(Failure::into_error).unwrap();
    assert!(
        report.steps[0].outcome.succeeded(),
        "{kernel}: {:?}",
        report.steps[0].outcome
    );
    String::from_utf8(printed.concat()).unwrap()
}
