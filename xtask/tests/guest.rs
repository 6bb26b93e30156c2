//! Plans in a real guest: what a step gets, what its limits do, and how a guest ends.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::time::{Duration, Instant};

use common::{run, shell, start_with_tools};
use plan::{Outcome, Step};
use xtask::vm::Failure;

fn died(failure: Failure) -> xtask::vm::Death {
    match failure {
        Failure::Died(death) => death,
        other => panic!("the guest should have died: {:#}", other.into_error()),
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn steps_report_their_own_outcome_and_leave_nothing_running() {
    let mut started = start_with_tools("6.12");
    let steps = vec![
        shell("echo one; echo two >&2; exit 7"),
        shell("kill -TERM $$"),
        shell("busybox sleep 1000 & echo started"),
        shell("busybox ps | busybox grep -c 'sleep 100[0]'"),
        Step { program: "/bin/nothing".into(), ..shell("") },
        shell("busybox printf '\\000\\377'"),
        shell(
            "busybox mount | busybox grep -cE ' (/proc|/sys|/dev|/tmp|/sys/fs/bpf|/sys/kernel/tracing|/sys/kernel/security|/sys/fs/cgroup) '",
        ),
    ];
    let (report, printed) = run(&mut started, steps);
    let report = report.map_err(Failure::into_error).unwrap();
    let outcomes: Vec<_> = report.steps.iter().map(|step| step.outcome.clone()).collect();
    assert_eq!(outcomes[0], Outcome::Exited(7));
    assert_eq!(printed[0], b"one\n");
    assert_eq!(outcomes[1], Outcome::Killed(15));
    assert_eq!(outcomes[2], Outcome::Exited(0));
    assert_eq!(printed[3], b"0\n", "a background process of a step outlived it");
    assert!(
        matches!(&outcomes[4], Outcome::NotStarted(why) if why.contains("/bin/nothing")),
        "{:?}",
        outcomes[4]
    );
    assert_eq!(printed[5], b"\x00\xff");
    assert_eq!(printed[6], b"8\n");
    assert!(report.complaints.is_empty(), "{:?}", report.complaints);

    // The same guest takes another plan.
    let (report, printed) = run(&mut started, vec![shell("echo again")]);
    assert!(report.is_ok());
    assert_eq!(printed[0], b"again\n");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn limits_end_a_step_and_not_the_guest() {
    let mut started = start_with_tools("6.12");
    let endless = Step { seconds: Some(2), ..shell("trap '' INT TERM; while :; do :; done") };
    let flood = Step { output_limit: Some(100_000), ..shell("busybox yes flooding") };
    let (report, printed) = run(&mut started, vec![endless, flood, shell("echo alive")]);
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::TimedOut);
    assert!(report.steps[0].duration < Duration::from_secs(5), "{:?}", report.steps[0].duration);
    assert_eq!(report.steps[1].outcome, Outcome::Flooded);
    assert_eq!(printed[2], b"alive\n");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_panic_is_told_with_the_kernels_last_words() {
    let mut started = start_with_tools("6.12");
    let (report, _) =
        run(&mut started, vec![shell("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger")]);
    let death = died(report.unwrap_err());
    assert!(death.why.contains("kernel crashed"), "{}", death.why);
    assert!(death.last_words.iter().any(|line| line.contains("sysrq")), "{:#?}", death.last_words);
    assert!(death.last_words.len() <= 41);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_flooded_console_ends_at_the_time_limit() {
    let mut started = start_with_tools("6.12");
    let flood =
        "busybox yes 'a line for the console, again and again' | busybox head -c 100000000 > /dev/ttyS0";
    let begin = Instant::now();
    let (report, _) = run(&mut started, vec![Step { seconds: Some(4), ..shell(flood) }, shell("echo alive")]);
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::TimedOut);
    assert_eq!(report.steps[1].outcome, Outcome::Exited(0));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_a_program_writes_to_the_kernels_log_is_no_complaint_of_the_kernel() {
    let mut started = start_with_tools("6.12");
    let (report, _) = run(&mut started, vec![shell("echo 'WARNING: said a program' > /dev/kmsg")]);
    assert!(report.map_err(Failure::into_error).unwrap().complaints.is_empty());
}

/// Resuming, the next kind of start, will have to hold this too.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn another_step_costs_little() {
    let mut started = start_with_tools("6.12");
    let steps = vec![shell("true"); 9];
    let begin = Instant::now();
    let (report, _) = run(&mut started, steps);
    report.map_err(Failure::into_error).unwrap();
    let each = begin.elapsed() / 9;
    // Ten times what it takes: this is no benchmark, it notices a sleep in the path of a step.
    assert!(each < Duration::from_secs(1), "{each:?}");
}
