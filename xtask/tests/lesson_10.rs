//! Lesson 10 beyond its demo: the tests of its eBPF programs, counting on an interface, faults, and
//! ends of every kind.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::script_in_namespaces;
use common::test_vm::TestVm;
use testvm::Started;

/// A VM with busybox and the lesson.
fn start(kernel: &str) -> Started {
    TestVm::on(kernel).with_tools().with_lesson("10").start()
}

/// What the lines print with each implementation: the same, and nothing is left behind.
fn run_script(kernel: &str, lines: &str) -> String {
    common::run_with_both(&mut start(kernel), kernel, |implementation| {
        script_in_namespaces("traffic", implementation, lines)
    })
}

/// The storm, the checksums and the health of backends: lessons/10-traffic/tests/storm.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn connections_and_checksums_hold() {
    common::run_lesson_tests("traffic", 6);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn protocols_are_counted_on_an_interface() {
    for kernel in ["5.10", "7.3"] {
        // What goes out through lo comes in through lo: each packet is seen twice.
        let text = run_script(
            kernel,
            "in_background $traffic --interface lo; until_out attached\n\
             busybox ping -c 2 127.0.0.1 >/dev/null\n\
             until_out 'pings 4'\n\
             kill -INT $!; wait $!; echo code $?\n\
             busybox tail -n 3 out",
        );
        let expected = "\
code 0
  connections 0, datagrams 0, pings 4

detached  the filter ends with its socket
";
        assert_eq!(text, expected, "{kernel}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_however_it_ends() {
    for kernel in ["5.10", "7.3"] {
        let text = run_script(
            kernel,
            "for signal in INT TERM KILL; do\n\
               for after in 0.05 0.2 0.4 0.6 0.8 1 1.3 1.6 2; do\n\
                 busybox timeout -s $signal $after $traffic --demo >/dev/null 2>&1\n\
               done\n\
               in_background $traffic --interface lo\n\
               until_out attached; kill -$signal $!; wait $! 2>/dev/null; echo $signal $?\n\
             done 2>/dev/null; true",
        );
        assert_eq!(text, "INT 0\nTERM 0\nKILL 137\n", "{kernel}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn faults_are_told_with_help_and_exit_codes() {
    let text = run_script(
        "6.12",
        "fails --interface nothing\n\
         busybox umount /sys/fs/cgroup; fails --demo",
    );
    let expected = "\
error: cannot find the interface 'nothing': there is none
help: the interfaces are lo
code 3
error: cannot find cgroups: no cgroup2 file system is mounted at /sys/fs/cgroup
help: mount -t cgroup2 none /sys/fs/cgroup
code 3
";
    assert_eq!(text, expected);
}
