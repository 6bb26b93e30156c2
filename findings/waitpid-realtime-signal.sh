#!/bin/sh
# nix's waitpid reports EINVAL for a child that a real-time signal killed, although it has reaped the child.
#
# Guess: waitpid of the crate nix returns Ok(WaitStatus::Signaled(..)) for every child that a signal killed. If its
# enum Signal has no name for the signal, there is another variant, or a number. An error means that the system call
# failed, and that the child is still there to be waited for.
#
# Seen: for signals 32 to 64, whose names are not in the enum, the result is Err(EINVAL), the same as for wrong flags.
# The system call had succeeded: the child is gone, its status is lost, and the next call says ECHILD. rustix, which
# keeps the status as a number, says what happened.
#
# Who meets it: whoever writes PID 1 of a VM or a container, or a supervisor, as a loop that waits for any child and
# ends at the first error other than EINTR and ECHILD: one child killed by SIGRTMIN stops the reaping of all others.
# The init of this course's VM therefore calls libc's waitpid.
#
# Versions: nix 0.31.3, rustix 1.1.6; rustc 1.95.0, Linux of any version.
#
# Output:
#     child killed by SIGTERM: Ok(15), then Err(ECHILD)
#     child killed by signal 34: Err(EINVAL), then Err(ECHILD)
#     the same with rustix: Some(34)
#
# Needs cargo and a C compiler as linker. Exit code: 0 it is as stated, 1 it changed, 3 the crates could not be built.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "waiting"
version = "0.0.0"
edition = "2024"

[dependencies]
nix = { version = "=0.31.3", default-features = false, features = ["process"] }
rustix = { version = "=1.1.6", features = ["process"] }
TOML
cat > src/main.rs <<'RUST'
use std::process::Command;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::WaitOptions;

fn start_child(signal: &str) -> i32 {
    let script = format!("kill -{signal} $$");
    Command::new("sh").args(["-c", &script]).spawn().unwrap().id() as i32
}

fn wait_twice(signal: &str) -> String {
    let pid = Pid::from_raw(start_child(signal));
    let first = waitpid(pid, None).map(|status| match status {
        WaitStatus::Signaled(_, signal, _) => signal as i32,
        _ => 0,
    });
    let second = waitpid(pid, None).map(|_| "the child was still there");
    format!("{first:?}, then {second:?}")
}

fn main() {
    println!("child killed by SIGTERM: {}", wait_twice("TERM"));
    println!("child killed by signal 34: {}", wait_twice("34"));
    let pid = rustix::process::Pid::from_raw(start_child("34"));
    let (_, status) = rustix::process::waitpid(pid, WaitOptions::empty()).unwrap().unwrap();
    println!("the same with rustix: {:?}", status.terminating_signal());
}
RUST
cargo build --quiet --target-dir target || exit 3
target/debug/waiting > seen
cat seen
cat > stated <<'TEXT'
child killed by SIGTERM: Ok(15), then Err(ECHILD)
child killed by signal 34: Err(EINVAL), then Err(ECHILD)
the same with rustix: Some(34)
TEXT
cmp -s seen stated
