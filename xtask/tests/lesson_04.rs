//! Lesson 04 under stress and with faults: nothing is lost without being counted, and nothing stays
//! attached.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::test_vm::TestVm;
use common::{run, shell};
use course::Implementation;
use plan::{Outcome, Step};
use testvm::{Failure, PlanReport, Started};

/// A VM with the lesson and busybox.
fn start() -> Started {
    TestVm::on("6.12").with_tools().with_lesson("04").start()
}

/// Runs this line of shell, with `LESSON` in it, once for each implementation.
fn each(started: &mut Started, line: &str) -> Vec<(Outcome, String)> {
    let steps: Vec<Step> = Implementation::ALL
        .map(|implementation| {
            let line = line.replace(
                "LESSON",
                &format!("/bin/fentry-fexit --impl {implementation}"),
            );
            Step {
                seconds: Some(120),
                ..shell(&line)
            }
        })
        .into();
    let (report, printed) = run(started, steps);
    let report: PlanReport = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.complaints, [""; 0]);
    assert_eq!(report.left_behind, [""; 0], "after: {line}");
    let outcomes = report.steps.iter().map(|step| step.outcome.clone());
    outcomes
        .zip(
            printed
                .into_iter()
                .map(|bytes| String::from_utf8(bytes).unwrap()),
        )
        .collect()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn in_a_storm_every_event_is_received_or_counted_as_lost() {
    let mut started = start();
    for (outcome, printed) in each(
        &mut started,
        "LESSON --storm 100000 --ring-buffer 4096 --json",
    ) {
        assert_eq!(outcome, Outcome::Exited(0), "{printed}");
        let summary: serde_json::Value =
            serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        let number = |key: &str| summary[key].as_u64().unwrap();
        assert_eq!(number("calls"), 100_000, "{summary}");
        assert_eq!(number("received") + number("lost"), 100_000, "{summary}");
        assert!(
            number("lost") > 0 && number("received") > 0,
            "otherwise this test shows little: {summary}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_attached_however_it_ends() {
    let mut started = start();
    // At any moment of loading and attaching, and while it runs: an emulated VM takes one second or
    // two to get there. No INT: a shell's background job ignores that until the lesson has its own
    // handler.
    for signal in ["TERM", "KILL"] {
        for wait in ["0.1", "0.5", "1", "3"] {
            let line = format!(
                "LESSON --way fentry --way kprobe >/tmp/out 2>&1 & busybox sleep {wait}; kill -{signal} $!; wait $!; busybox rm -f /tmp/out"
            );
            each(&mut started, &line);
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_detaches_and_sums_up() {
    let line = "LESSON --json >/tmp/out & \
        until busybox grep -q mark-of-the-test /tmp/out; do busybox cat /mark-of-the-test 2>/dev/null; done; \
        kill -INT $!; wait $!; echo exit code $?; busybox tail -n 1 /tmp/out; busybox rm /tmp/out";
    for (_, printed) in each(&mut start(), line) {
        assert!(printed.starts_with("exit code 0\n"), "{printed}");
        assert!(printed.contains("\"event\":\"summary\""), "{printed}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn filters_work_in_the_kernel() {
    let mut started = start();
    for (_, printed) in each(
        &mut started,
        "LESSON --demo --json --slower-than 10s --way fentry",
    ) {
        let summary: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
        assert_eq!(
            summary["calls"], 0,
            "nothing takes that long, and the summary is the only line: {printed}"
        );
        assert_eq!(summary["no_room"], 2);
    }
    // Another command opens the same file: only the one that was asked for may be seen.
    let line = "LESSON --json --comm head >/tmp/out & \
        until busybox grep -q mark-of-the-test /tmp/out; do \
            busybox cat /mark-of-the-test 2>/dev/null; \
            (echo -n head > /proc/self/comm; exec 2>/dev/null; busybox true < /mark-of-the-test); \
        done; kill -INT $!; wait $!; busybox grep -v summary /tmp/out; busybox rm /tmp/out";
    for (_, printed) in each(&mut started, line) {
        assert!(
            printed
                .lines()
                .all(|line| line.contains("\"command\":\"head\"")),
            "{printed}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_the_machine_lacks_is_told_with_exit_code_3() {
    let mut started = start();
    let no_btf = "busybox mount -t tmpfs none /sys/kernel/btf; LESSON --demo 2>&1; echo exit code $?; \
        busybox umount /sys/kernel/btf";
    for (_, printed) in each(&mut started, no_btf) {
        assert!(
            printed.starts_with("error: find the kernel's types"),
            "{printed}"
        );
        assert!(
            printed.contains("\nhelp: ") && printed.ends_with("exit code 3\n"),
            "{printed}"
        );
    }
}
