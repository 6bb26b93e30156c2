//! Lesson 04 under stress and with faults: nothing is lost without being counted, and nothing stays
//! attached.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::test_vm::TestVm;
use plan::Outcome;
use testvm::Started;

/// A VM with the lesson and busybox.
fn start() -> Started {
    TestVm::on("6.12").with_tools().with_lesson("04").start()
}

/// Runs this line of shell, with `LESSON` in it, once for each implementation.
fn each(started: &mut Started, line: &str) -> Vec<(Outcome, String)> {
    common::run_each(started, "fentry-fexit", line)
}

/// A shell opens a missing file this often while the lesson is stopped and reads nothing.
const STORM: u64 = 4_000;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn in_a_storm_every_event_is_received_or_counted_as_lost() {
    let line = format!(
        "LESSON --pid $$ >/tmp/out & lesson=$!; exec 2>/dev/null; \
         until busybox grep -q /ready /tmp/out; do true < /ready; done; \
         kill -STOP $lesson; i=0; \
         while [ $i -lt {STORM} ]; do true < /storm; i=$((i + 1)); done; \
         kill -CONT $lesson; kill -INT $lesson; wait $lesson; \
         busybox cat /tmp/out; busybox rm /tmp/out"
    );
    for (outcome, printed) in each(&mut start(), &line) {
        assert_eq!(outcome, Outcome::Exited(0), "{printed}");
        for pair in ["fexit", "kretprobe"] {
            let of_pair = printed.lines().filter(|line| line.starts_with(pair));
            let (summary, rows): (Vec<_>, Vec<_>) =
                of_pair.partition(|line| line.contains(" calls, of which "));
            let numbers: Vec<u64> = summary[0]
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            let [calls, lost] = numbers[..] else {
                panic!("{summary:?}");
            };
            let others = rows.iter().filter(|row| !row.ends_with(" /storm")).count() as u64;
            let received = rows.len() as u64;
            assert_eq!(calls, STORM + others, "{summary:?}");
            assert_eq!(received + lost, calls, "{summary:?}");
            assert!(
                lost > 0 && received > others,
                "otherwise this test shows little: {summary:?}, {received} received"
            );
        }
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
                "LESSON >/tmp/out 2>&1 & busybox sleep {wait}; kill -{signal} $!; wait $!; \
                 busybox rm -f /tmp/out"
            );
            each(&mut started, &line);
        }
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn ctrl_c_detaches_and_sums_up() {
    let line = "LESSON >/tmp/out & \
        until busybox grep -q mark-of-the-test /tmp/out; do \
            busybox cat /mark-of-the-test 2>/dev/null; \
        done; \
        kill -INT $!; wait $!; echo exit code $?; \
        busybox grep -A 20 'calls, of which' /tmp/out; busybox rm /tmp/out";
    for (_, printed) in each(&mut start(), line) {
        assert!(printed.starts_with("exit code 0\nfexit "), "{printed}");
        assert!(printed.contains("\nkretprobe "), "{printed}");
        assert!(
            printed.ends_with("\ndetached   do_sys_openat2 is as it was before\n"),
            "{printed}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn filters_work_in_the_kernel() {
    let mut started = start();
    for (_, printed) in each(&mut started, "LESSON --demo --slower-than 10s") {
        assert!(
            printed.contains("\nfexit      0 calls, of which 0 did not")
                && printed.contains("\nkretprobe  0 calls, of which 0 did not"),
            "nothing takes that long: {printed}"
        );
        assert!(!printed.contains("/proc/version"), "{printed}");
        let no_room = printed
            .matches("           2 began when the map was full")
            .count();
        assert_eq!(no_room, 2, "{printed}");
    }
    // Another process opens the same file: only the one that was asked for may be seen.
    let line = "LESSON --pid $$ >/tmp/out & exec 2>/dev/null; \
        until busybox grep -q mark-of-the-test /tmp/out; do \
            busybox cat /mark-of-the-test; true < /mark-of-the-test; \
        done; \
        kill -INT $!; wait $!; echo $$; \
        busybox grep mark-of-the-test /tmp/out; busybox rm /tmp/out";
    for (_, printed) in each(&mut started, line) {
        let (pid, rows) = printed.split_once('\n').unwrap();
        assert!(
            rows.contains("fexit ") && rows.contains("kretprobe "),
            "{printed}"
        );
        assert!(
            rows.lines()
                .all(|row| row.split_whitespace().nth(1) == Some(pid)),
            "{printed}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_the_machine_lacks_is_told_with_exit_code_3() {
    let mut started = start();
    let no_btf = "busybox mount -t tmpfs none /sys/kernel/btf; \
        LESSON --demo 2>&1; echo exit code $?; \
        busybox umount /sys/kernel/btf";
    for (_, printed) in each(&mut started, no_btf) {
        assert!(
            printed.starts_with("error: ") && printed.contains("find the kernel's types"),
            "{printed}"
        );
        assert!(
            printed.contains("\nhelp: ") && printed.ends_with("exit code 3\n"),
            "{printed}"
        );
    }
}
