//! Lesson 09 under stress and with faults: every sample is in the stacks or in a count, and nothing
//! stays behind.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::test_vm::TestVm;
use plan::Outcome;
use testvm::Started;

/// A VM with the lesson and busybox.
fn start() -> Started {
    TestVm::on("6.12").with_tools().with_lesson("09").start()
}

/// Runs this line of shell, with `LESSON` in it, once for each implementation.
fn each(started: &mut Started, line: &str) -> Vec<(Outcome, String)> {
    common::run_each(started, "profiler", line)
}

/// The number before these words in the lesson's report.
fn number(printed: &str, words: &str) -> u64 {
    let line = printed.lines().find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("'{words}' is missing: {printed}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The stacks and counts of a folded file, from the line `folded` on.
fn folded(printed: &str) -> Vec<(&str, u64)> {
    let (_, lines) = printed.split_once("\nfolded\n").unwrap();
    let lines = lines.lines().map(|line| line.rsplit_once(' ').unwrap());
    lines
        .map(|(stack, count)| (stack, count.parse().unwrap()))
        .collect()
}

/// Processes come and go, each with other stacks; a fixed amount of work, as an emulated VM may get
/// little of the machine's time.
const STORM: &str = "(i=0; while [ $i -lt 12 ]; do \
        busybox ls -l /proc; busybox sha256sum /bin/busybox; i=$((i + 1)); \
    done) >/dev/null 2>&1";

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn in_a_storm_every_sample_is_in_the_stacks_or_in_a_count() {
    let mut started = start();
    for max_stacks in [1, 64, 16384] {
        let line = format!(
            "LESSON --frequency 997 --max-stacks {max_stacks} --folded /tmp/folded >/tmp/out & \
             until busybox grep -q Ctrl-C /tmp/out; do busybox sleep 0.1; done; {STORM}; \
             kill -INT $!; wait $!; result=$?; busybox cat /tmp/out; \
             echo folded; busybox cat /tmp/folded; busybox rm /tmp/folded /tmp/out; exit $result"
        );
        for (outcome, printed) in each(&mut started, &line) {
            assert_eq!(outcome, Outcome::Exited(0), "{printed}");
            let samples = number(&printed, " samples");
            let without_stack = number(&printed, " of them without a stack");
            let uncounted = number(&printed, " not counted");
            let stacks = folded(&printed);
            let counted: u64 = stacks.iter().map(|(_, count)| count).sum();
            let not_kept = stacks
                .iter()
                .filter(|(stack, _)| stack.contains(";[stack not kept]"));
            let not_kept: u64 = not_kept.map(|(_, count)| count).sum();
            let about = format!("{max_stacks} stacks: {printed}");
            assert!(samples > 64, "a storm has more samples: {about}");
            assert_eq!(counted + uncounted, samples, "{about}");
            assert_eq!(not_kept, without_stack, "{about}");
            if max_stacks < 100 {
                assert!(uncounted > 0, "{about}");
                assert!(without_stack > 0 || max_stacks == 1, "{about}");
            } else {
                assert_eq!(uncounted, 0, "{about}");
                assert!(without_stack * 4 < samples, "{about}");
            }
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_behind_however_it_ends() {
    let mut started = start();
    // At any moment of loading and attaching, and while it runs; with the demo's own process too.
    for arguments in ["--folded /tmp/folded", "--demo"] {
        for signal in ["TERM", "KILL"] {
            for wait in ["0.1", "0.5", "1.5"] {
                let line = format!(
                    "LESSON {arguments} >/tmp/out 2>&1 & busybox sleep {wait}; \
                     kill -{signal} $!; wait $!; busybox rm -f /tmp/out /tmp/folded"
                );
                each(&mut started, &line);
            }
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_reports_and_writes_the_files() {
    let line = "(while :; do :; done) & busy=$!; \
        LESSON --pid $busy --folded /tmp/folded --svg /tmp/svg >/tmp/out & \
        until busybox grep -q Ctrl-C /tmp/out; do :; done; busybox sleep 1; \
        kill -INT $!; wait $!; echo exit code $?; kill $busy; wait; \
        busybox cat /tmp/out; busybox tail -n 1 /tmp/svg; busybox grep -c '<title>' /tmp/svg; \
        echo folded; busybox cat /tmp/folded; busybox rm /tmp/out /tmp/svg /tmp/folded";
    for (_, printed) in each(&mut start(), line) {
        assert!(
            printed.starts_with("exit code 0\nsampling 2 CPUs"),
            "{printed}"
        );
        assert!(
            printed.contains("\n   self    total  function\n"),
            "{printed}"
        );
        assert!(printed.contains("</svg>"), "{printed}");
        let samples = number(&printed, " samples");
        let stacks = folded(&printed);
        let counted: u64 = stacks.iter().map(|(_, count)| count).sum();
        assert!(samples > 0, "{printed}");
        assert_eq!(counted, samples, "{printed}");
        assert!(
            stacks
                .iter()
                .all(|(stack, _)| stack.starts_with("busybox;")),
            "only the process that was asked for: {printed}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_process_that_is_gone_has_no_names_but_is_counted() {
    let line = "(exec busybox sha256sum /bin/busybox /bin/busybox /bin/busybox) >/dev/null & \
        LESSON --frequency 997 --seconds 3 --folded /tmp/folded & lesson=$!; \
        i=0; while [ $i -lt 40 ]; do busybox sha256sum /bin/busybox >/dev/null; i=$((i + 1)); \
        done; wait; echo folded; busybox cat /tmp/folded; busybox rm /tmp/folded";
    for (outcome, printed) in each(&mut start(), line) {
        assert_eq!(outcome, Outcome::Exited(0), "{printed}");
        let gone = folded(&printed);
        let mut gone = gone.iter().filter(|(stack, _)| stack.contains(";[exited]"));
        assert!(gone.next().is_some(), "{printed}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn bad_input_is_told_at_once_and_leaves_no_file() {
    let mut started = start();
    let refused = [
        (
            "--frequency 0",
            2,
            "invalid value '0' for '--frequency <HZ>'",
        ),
        (
            "--demo --frequency 999",
            2,
            "the argument '--demo' cannot be used with '--frequency <HZ>'",
        ),
        ("--seconds 0", 2, "invalid value '0' for '--seconds <N>'"),
        (
            "--max-stacks 0",
            2,
            "invalid value '0' for '--max-stacks <N>'",
        ),
        (
            "--frequency 10000000 --folded /tmp/new",
            3,
            "error: cannot take 10000000 samples a second: this kernel allows ",
        ),
        (
            "--pid 99999 --folded /tmp/new --svg /tmp/new.svg",
            1,
            "error: cannot sample process 99999: there is none",
        ),
        (
            "--folded /tmp/new --svg /tmp/new",
            1,
            "error: cannot write /tmp/new: it is being written",
        ),
        (
            "--folded /missing/file",
            1,
            "error: cannot write /missing/file: No such file",
        ),
    ];
    for (arguments, code, says) in refused {
        let line = format!("LESSON {arguments} 2>&1; echo exit code $?; busybox ls /tmp");
        for (_, printed) in each(&mut started, &line) {
            assert!(printed.contains(says), "{arguments}: {printed}");
            let end = format!("exit code {code}\n");
            assert!(printed.ends_with(&end), "{arguments}: {printed}");
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_file_keeps_its_contents_until_there_are_new_ones() {
    let line = "echo earlier >/tmp/folded; \
        LESSON --pid 99999 --folded /tmp/folded 2>/dev/null; busybox cat /tmp/folded; \
        LESSON --seconds 1 --folded /tmp/folded >/dev/null; busybox grep -c earlier /tmp/folded; \
        busybox rm /tmp/folded";
    for (_, printed) in each(&mut start(), line) {
        assert_eq!(printed, "earlier\n0\n");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_cannot_be_written_at_the_end_is_told_after_the_report() {
    // Root may open this one for writing; the write fails.
    let line = "LESSON --seconds 1 --svg /proc/version 2>&1; echo exit code $?";
    for (_, printed) in each(&mut start(), line) {
        let (report, error) = printed.split_once("error: ").unwrap();
        assert!(
            report.contains("\n   self    total  function\n"),
            "{printed}"
        );
        assert!(
            error.starts_with("cannot write /proc/version: "),
            "{printed}"
        );
        assert!(error.ends_with("\nexit code 1\n"), "{printed}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_kernel_that_keeps_shorter_stacks_is_told_with_exit_code_3() {
    let line = "depth=/proc/sys/kernel/perf_event_max_stack; echo 64 >$depth; \
        LESSON --seconds 1 2>&1; echo exit code $?; echo 127 >$depth";
    for (_, printed) in each(&mut start(), line) {
        let expected = "error: cannot keep 127 frames of a stack: this kernel allows 64, \
            kernel.perf_event_max_stack\n\
            help: sysctl kernel.perf_event_max_stack=127\n\
            exit code 3\n";
        assert_eq!(printed, expected);
    }
}
