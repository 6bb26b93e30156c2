//! Lesson 06 beyond its demo: an interface that stays, a list that changes, faults, and ends of
//! every kind.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use common::test_vm::TestVm;
use common::{run, shell};
use course::Implementation;
use plan::{Outcome, Step};
use testvm::{Failure, Started};

/// A VM with busybox and the lesson.
fn start(kernel: &str) -> Started {
    TestVm::on(kernel).with_tools().with_lesson("06").start()
}

/// In a network namespace of its own, where lo is on: any driver has generic mode, and lo has no
/// other.
fn script(implementation: Implementation, lines: &str) -> Step {
    let prepare = "exec 2>&1; alias ip='busybox ip' ping='busybox ping' grep='busybox grep'; \
        cd /tmp; rm() { busybox rm \"$@\"; }; rm -f list out; ip link set lo up";
    let helpers = format!(
        "xdp=\"/bin/xdp --impl {implementation}\"\n\
         until_out() {{ for _ in $(busybox seq 200); do grep -q \"$1\" out 2>/dev/null && return; \
             busybox usleep 50000; done; echo \"no $1 in out\"; busybox cat out; exit 1; }}\n\
         fails() {{ $xdp \"$@\" 2>&1; echo \"code $?\"; }}"
    );
    let arguments = ["unshare", "-n", "/bin/busybox", "sh", "-c"].map(String::from);
    let script = format!("{prepare}\n{helpers}\n{lines}");
    Step {
        args: arguments.into_iter().chain([script]).collect(),
        seconds: Some(120),
        ..shell("")
    }
}

/// What the lines print with each implementation: the same, and nothing is left behind.
fn on(kernel: &str, lines: &str) -> String {
    let mut started = start(kernel);
    let [aya, libbpf] = Implementation::ALL.map(|implementation| {
        let (report, printed) = run(&mut started, vec![script(implementation, lines)]);
        let text = String::from_utf8(printed.concat()).unwrap();
        let report = report.map_err(Failure::into_error).unwrap();
        assert_eq!(
            report.steps[0].outcome,
            Outcome::Exited(0),
            "{implementation} on {kernel}: {text}"
        );
        assert_eq!(
            report.left_behind, [""; 0],
            "{implementation} on {kernel}: {text}"
        );
        assert_eq!(
            report.complaints, [""; 0],
            "{implementation} on {kernel}: {text}"
        );
        text
    });
    assert_eq!(aya, libbpf);
    aya
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_list_is_followed_while_it_changes() {
    for kernel in ["5.10", "7.3"] {
        let text = on(
            kernel,
            "answered() { ping -c 1 -W 1 127.0.0.1 >/dev/null && echo answered || echo silent; }\n\
             echo 127.0.0.0/8 > list\n\
             $xdp --interface lo --mode generic --list list --json > out 2>&1 & \n\
             until_out attached; answered\n\
             printf '127.0.0.0/8\\nallow 127.0.0.1\\n' > list; until_out 127.0.0.1/32; answered\n\
             echo nonsense > list; until_out wanted; answered\n\
             : > list; until_out '\"removed\",\"event\":\"rule\",\"prefix\":\"127.0.0.0/8\"'; answered\n\
             kill -INT $!; wait $!; echo code $?\n\
             grep summary out | grep -o '\"frames\":[0-9]*,\"kind\":\"icmp\",\"verdict\":\"drop\"'",
        );
        // The request is dropped on its way in, and so is no answer to it sent.
        let expected = "silent\nanswered\nanswered\nanswered\ncode 0\n\
            \"frames\":1,\"kind\":\"icmp\",\"verdict\":\"drop\"\n";
        assert_eq!(text, expected, "{kernel}");
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_however_it_ends() {
    for kernel in ["5.10", "7.3"] {
        let text = on(
            kernel,
            "for signal in INT KILL; do\n\
               for after in 0.01 0.1 0.3 0.5 0.7 0.9 1.2; do\n\
                 busybox timeout -s $signal $after $xdp --demo >/dev/null 2>&1\n\
               done\n\
               $xdp --interface lo --mode generic --interval 3600 > out & \n\
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
    let text = on(
        "6.12",
        "fails --interface nothing\n\
         fails --interface lo\n\
         $xdp --interface lo --mode generic > out & \n\
         until_out attached; fails --interface lo --mode generic | busybox sed 's/program [0-9][0-9]*/program 7/'\n\
         kill -TERM $!; wait $!\n\
         fails --interface lo --mode generic --max-rules 2 --block 1.0.0.0/8 --block 2.0.0.0/8 --block 3.0.0.0/8 \
             | busybox sed -E 's/larger: .*/larger/'\n\
         fails --interface lo --list list",
    );
    let expected = "\
error: find interface 'nothing': there is none
help: --interface takes lo
code 3
error: attach to lo in native mode: its driver cannot run XDP programs
help: --mode generic lets the kernel run them, with any driver
code 3
error: attach to lo in generic mode: firewall (program 7) is there already
help: bpftool net shows it; end the program that attached it
help: ip link set lo xdp off takes one off that 'ip link' put there
code 3
rule      1.0.0.0/8 drop set
rule      2.0.0.0/8 drop set
error: set the rule for 3.0.0.0/8: the table for IPv4 is full; --max-rules makes it larger
code 1
error: read the list list: No such file or directory (os error 2)
code 1
";
    assert_eq!(text, expected);
}
