//! Lesson 06 beyond its demo: the unit tests of its eBPF programs, a firewall on an interface,
//! faults, and ends of every kind.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::script_in_namespaces;
use common::test_vm::TestVm;
use testvm::Started;

/// A VM with busybox and the lesson.
fn start(kernel: &str) -> Started {
    TestVm::on(kernel).with_tools().with_lesson("06").start()
}

/// What the lines print with each implementation: the same, and nothing is left behind.
fn run_script(kernel: &str, lines: &str) -> String {
    common::run_with_both(&mut start(kernel), kernel, |implementation| {
        script_in_namespaces("xdp", implementation, lines)
    })
}

/// The unit tests of the eBPF programs: lessons/06-xdp/tests/frames.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn every_program_judges_every_frame_rightly() {
    common::run_lesson_tests("xdp", 3);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_firewall_blocks_with_exceptions() {
    for kernel in ["5.10", "7.3"] {
        let text = run_script(
            kernel,
            "answered() { ping -c 1 -W 1 127.0.0.1 >/dev/null && echo answered || echo silent; }\n\
             guard() { in_background $xdp --interface lo --mode generic \"$@\"\n\
                 until_out attached; }\n\
             end() { kill -INT $!; wait $!; echo code $?; grep icmp out | busybox tail -1; }\n\
             guard --block 127.0.0.0/8; answered; end\n\
             guard --block 127.0.0.0/8 --allow 127.0.0.1; answered; end\n\
             guard --answer-ping; answered; end\n\
             busybox tail -1 out; answered",
        );
        // Dropped on its way in, so no answer is sent. Passed: the request and its answer, which
        // also comes in through lo. On lo, an answer by XDP_TX is again a frame that comes in.
        let expected = "\
silent
code 0
  icmp       drop               1           98
answered
code 0
  icmp       pass               2          196
answered
code 0
  icmp       tx                 1           98
";
        assert!(text.starts_with(expected), "{kernel}: {text}");
        assert!(text.ends_with("answered\n"), "{kernel}: {text}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_however_it_ends() {
    for kernel in ["5.10", "7.3"] {
        let text = run_script(
            kernel,
            "for signal in INT KILL; do\n\
               for after in 0.01 0.1 0.3 0.5 0.7 0.9 1.2; do\n\
                 busybox timeout -s $signal $after $xdp --demo >/dev/null 2>&1\n\
               done\n\
               in_background $xdp --interface lo --mode generic\n\
               until_out attached; kill -$signal $!; wait $! 2>/dev/null; echo $signal $?\n\
               ip link show lo | grep xdp\n\
             done 2>/dev/null; true",
        );
        assert_eq!(text, "INT 0\nKILL 137\n", "{kernel}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn faults_are_told_with_help_and_exit_codes() {
    let text = run_script(
        "6.12",
        "fails --interface nothing\n\
         fails --interface lo\n\
         in_background $xdp --interface lo --mode generic\n\
         until_out attached; fails --interface lo --mode generic \
             | busybox sed 's/program [0-9][0-9]*/program 7/'\n\
         kill -TERM $!; wait $!",
    );
    let expected = "\
error: cannot find the interface 'nothing': there is none
help: the interfaces are lo
code 3
error: cannot attach to lo in native mode: its driver cannot run XDP programs
help: --mode generic works with any driver
code 3
error: cannot attach to lo in generic mode: block (program 7) is already attached
help: bpftool net shows it; end the program that attached it
help: ip link set lo xdp off, if 'ip link' attached it
code 3
";
    assert_eq!(text, expected);
}
