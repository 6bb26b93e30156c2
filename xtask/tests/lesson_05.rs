//! Lesson 05 beyond its demo: floods, faults, and what its policy covers and what it does not.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::shell;
use common::test_vm::TestVm;
use course::Implementation;
use plan::Step;
use testvm::Started;

/// A VM with busybox and the lesson.
fn start(kernel: &str) -> Started {
    TestVm::on(kernel).with_tools().with_lesson("05").start()
}

/// In a directory with `secret/plan.txt` and `notes.txt`; standard error is shown with the rest.
fn script(implementation: Implementation, lines: &str) -> Step {
    let prepare = "exec 2>&1; cd /tmp; busybox rm -rf secret; busybox mkdir -p secret/a/b; \
        for f in secret/plan.txt secret/a/b/plan.txt notes.txt; do echo words > $f; done";
    let lsm = format!(
        "lsm() {{ /bin/lsm --impl {implementation} \"$@\"; }}; cat() {{ busybox cat \"$@\"; }}"
    );
    Step {
        seconds: Some(120),
        ..shell(&format!("{prepare}\n{lsm}\n{lines}"))
    }
}

/// What the lines print with each implementation: the same, and nothing is left behind.
fn on(kernel: &str, lines: &str) -> String {
    let step = |implementation| script(implementation, lines);
    common::run_with_both(&mut start(kernel), kernel, step)
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn in_a_storm_every_denial_is_received_or_counted_as_lost() {
    for kernel in ["5.10", "7.3"] {
        // COMMAND stops lsm, so that the ring buffer gets full, and lets it go on.
        let text = on(
            kernel,
            r#"lsm --deny secret --output log -- busybox sh -c 'kill -STOP $PPID; i=0
               while [ $i -lt 5000 ]; do true < secret/plan.txt; i=$((i + 1)); done
               kill -CONT $PPID' 2> /dev/null || exit 1
               busybox awk '/ denied +secret\/plan.txt/ { received++ }
                   /^reports/ { sent = $2 + 0; lost = $5 }
                   END { print sent, received + lost, (received > 0 && lost > 0) }' log"#,
        );
        assert_eq!(text, "5000 5000 1\n", "on {kernel}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_exit_status_is_that_of_the_command() {
    let text = on(
        "6.12",
        "say() { \"$@\" > /dev/null; echo $?; }
         say lsm --deny secret -- busybox true
         say lsm --deny secret -- busybox sh -c 'exit 7'
         say lsm --deny secret -- busybox sh -c 'kill -TERM $$'
         say lsm --deny secret -- /bin/nothing
         say lsm --deny secret -- /tmp/notes.txt
         say lsm --deny nothing -- busybox true
         say lsm --deny notes.txt -- busybox true
         say lsm --deny /bin -- busybox true",
    );
    let expected = "0
7
143
error: cannot start /bin/nothing: No such file or directory (os error 2)
help: type its path, or look whether it is in PATH
127
error: cannot start /tmp/notes.txt: Permission denied (os error 13)
help: look whether it is executable, and not in a denied directory
126
error: cannot find nothing: No such file or directory (os error 2)
1
error: cannot deny notes.txt: it is not a directory
1
error: cannot start busybox: Operation not permitted (os error 1)
help: look whether it is executable, and not in a denied directory
126
";
    assert_eq!(text, expected);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_is_covered_and_what_is_not() {
    let text = on(
        "6.12",
        "busybox mkdir -p bound secret/mounted
         busybox mount --bind secret/a bound
         busybox mount -t tmpfs tmpfs secret/mounted
         echo words > secret/mounted/plan.txt
         busybox ln secret/plan.txt linked.txt
         try() { lsm --deny secret --output log -- busybox sh -c \"$1\"; }
         echo bound; try 'cat bound/b/plan.txt'
         echo mounted; try 'cat secret/mounted/plan.txt'
         echo linked; try 'cat linked.txt'
         echo before; try 'exec < secret/plan.txt' < secret/plan.txt; try cat < secret/plan.txt
         echo names
         try 'ls -d secret/plan.txt; rm secret/plan.txt; echo > secret/new; ls secret'
         busybox ls secret
         busybox umount bound; busybox umount secret/mounted",
    );
    let expected = "bound
cat: can't open 'bound/b/plan.txt': Operation not permitted
mounted
words
linked
words
before
sh: can't open secret/plan.txt: Operation not permitted
words
names
secret/plan.txt
sh: can't create secret/new: Operation not permitted
ls: can't open 'secret': Operation not permitted
a
mounted
new
";
    assert_eq!(text, expected);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn two_policies_hold_at_a_time() {
    let text = on(
        "6.12",
        "busybox mkdir other; echo words > other/plan.txt
         lsm --deny secret --output log -- /bin/lsm --deny other --output log2 -- \
             busybox sh -c 'cat secret/plan.txt; cat other/plan.txt; cat notes.txt'
         busybox rm -r other",
    );
    let expected = "cat: can't open 'secret/plan.txt': Operation not permitted
cat: can't open 'other/plan.txt': Operation not permitted
words
";
    assert_eq!(text, expected);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_child_that_cannot_be_covered_is_not_born() {
    let text = on(
        "6.12",
        "lsm --deny secret --output log --max-tasks 1 -- \
             busybox sh -c 'busybox true; echo born'; echo $?",
    );
    assert_eq!(
        text,
        "sh: can't fork: Resource temporarily unavailable\n2\n"
    );
}

/// At load, at attach and while COMMAND runs.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_policy_that_is_killed_leaves_nothing_and_no_command() {
    let text = on(
        "6.12",
        "for signal in INT KILL TERM; do for time in 0.1 0.4 0.8 3; do
             busybox rm -f ended command
             (lsm --deny secret -- busybox sh -c \
                  'echo $$ > command; cat secret/plan.txt; exec busybox tail -f notes.txt'
              echo > ended) > out 2>&1 &
             busybox sleep $time; busybox killall -$signal lsm
             # A shell's background process ignores Ctrl-C until it catches it; a terminal would
             # tell COMMAND as well.
             until [ -e ended ]; do
                 [ -e command ] && kill -$signal $(cat command); busybox sleep 0.1
             done
         done; done > /dev/null 2>&1
         for i in 1 2 3 4 5 6 7 8 9 10; do cat secret/plan.txt && break; busybox sleep 0.1; done
         busybox ps | busybox grep -c ':[0-9]* busybox tail'; true",
    );
    assert_eq!(text, "words\n0\n");
}
