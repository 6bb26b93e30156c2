//! Not a unit test: a `ProcessTree` reaps every child of its process, those of other tests too.

use std::process::Command;

use common::process_tree::ProcessTree;

#[test]
fn an_end_by_a_real_time_signal_is_an_end_like_any_other() {
    let mut killed = start_shell("kill -34 $$");
    let failures = killed.wait().expect("the end is noticed");
    assert_eq!((failures, killed.exit_code()), (0, 128 + 34));

    // The first orphan fails, and ends after the one that the signal kills.
    let orphans = "(sleep 0.2; exit 1) & (sleep 0.1; exec sh -c 'kill -34 $$') & exit 3";
    let mut left = start_shell(orphans);
    let failures = left.wait().expect("every end is noticed");
    assert_eq!((failures, left.exit_code()), (1, 3));
}

fn start_shell(script: &str) -> ProcessTree {
    ProcessTree::spawn(Command::new("sh").args(["-c", script])).expect("there is a shell")
}
