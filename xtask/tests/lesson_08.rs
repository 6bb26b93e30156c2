//! Lesson 08 under stress and with faults: nothing is lost without being counted, nothing stays in
//! the watched programs, and each fault is told.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::process::Command;

use common::test_vm::TestVm;
use kernel::MATRIX;
use testvm::Started;

/// Runs the program that follows as the user nobody; its arguments come after `--`.
const AS_NOBODY: &str = "busybox start-stop-daemon -S -q -c nobody -x";

/// Watches the function `greet` of the lesson's own program, and waits until it is attached.
const WATCH: &str = "LESSON --file /bin/uprobe --function greet --arguments string,int >/tmp/out & \
    lesson=$!; until busybox grep -q Ctrl-C /tmp/out; do busybox sleep 0.05; done; ";

/// A VM with the lesson, busybox, and a program without symbols.
fn start(kernel: &str) -> Started {
    let directory = tempfile::tempdir().unwrap();
    let [source, stripped] = ["stripped.c", "stripped"].map(|name| directory.path().join(name));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let mut compiler = Command::new("cc");
    compiler.arg("-s").arg("-o").args([&stripped, &source]);
    assert!(compiler.status().unwrap().success());
    TestVm::on(kernel)
        .with_tools()
        .with_lesson("08")
        .with_program(&stripped)
        .with_file("etc/passwd", b"nobody:x:65534:65534::/:\n")
        .start()
}

/// Runs this line of shell, with `LESSON` in it, once for each implementation.
fn each(started: &mut Started, line: &str) -> Vec<String> {
    let ended = common::run_each(started, "uprobe", line);
    ended.into_iter().map(|(_, printed)| printed).collect()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_first_program_sees_a_call_on_every_kernel() {
    for kernel in MATRIX {
        for printed in each(&mut start(kernel), "LESSON --first") {
            let mut settings = insta::Settings::clone_current();
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!("first", printed));
        }
    }
}

/// The watched program calls the function this often while the lesson is stopped and reads nothing.
const STORM: u64 = 2_000;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn in_a_storm_every_event_is_received_or_counted_as_lost() {
    let line = format!(
        "{WATCH} kill -STOP $lesson; \
         busybox yes greet | busybox head -n {STORM} | /bin/uprobe --target >/dev/null; \
         kill -CONT $lesson; kill -INT $lesson; wait $lesson; \
         busybox cat /tmp/out; busybox rm /tmp/out"
    );
    for printed in each(&mut start("6.12"), &line) {
        let rows = |kind: &str| {
            printed
                .lines()
                .filter(|line| line.starts_with(kind))
                .count() as u64
        };
        let received = rows("  uprobe ") + rows("  uretprobe ");
        let last = printed.lines().last().unwrap();
        let numbers = last
            .strip_prefix("  sent ")
            .and_then(|text| text.split_once(", lost "));
        let (sent, lost) = numbers.unwrap_or_else(|| panic!("{printed}"));
        let (sent, lost): (u64, u64) = (sent.parse().unwrap(), lost.parse().unwrap());
        assert_eq!(sent + lost, 2 * STORM, "{last}");
        assert_eq!(sent, received, "{last}");
        assert!(
            sent > 0 && lost > 0,
            "otherwise this test shows little: {last}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn nothing_stays_in_the_watched_program_however_the_lesson_ends() {
    let mut started = start("6.12");
    for signal in ["INT", "TERM", "KILL"] {
        let line = format!(
            "busybox mkfifo /tmp/words; /bin/uprobe --target </tmp/words >/tmp/answers & \
             target=$!; exec 3>/tmp/words; \
             LESSON --file /bin/uprobe --usdt lesson:reply --pid $target >/tmp/out 2>&1 & \
             lesson=$!; until busybox grep -q Ctrl-C /tmp/out; do busybox sleep 0.05; done; \
             echo semaphore >&3; \
             until busybox grep -q . /tmp/answers; do busybox sleep 0.05; done; \
             kill -{signal} $lesson; wait $lesson; \
             echo semaphore >&3; echo serve >&3; exec 3>&-; wait $target; \
             busybox cat /tmp/answers; busybox rm /tmp/words /tmp/answers /tmp/out"
        );
        for printed in each(&mut started, &line) {
            assert_eq!(printed, "1\n0\n0\n", "after SIG{signal}");
        }
    }
    // At any moment of loading and attaching.
    for wait in ["0.1", "0.3", "0.6"] {
        let line = format!(
            "LESSON --demo >/tmp/out 2>&1 & busybox sleep {wait}; kill -KILL $!; wait $!; \
             busybox sleep 1; \
             busybox rm -f /tmp/out"
        );
        each(&mut started, &line);
    }
}

/// What is typed after the program's name, the message, and the exit code.
const FAULTS: [(&str, &str, u8); 15] = [
    (
        "--file /bin/uprobe --function no_such",
        "cannot find the function 'no_such' in /bin/uprobe: it has no function of this name",
        1,
    ),
    (
        "--file /bin/stripped --function main",
        "cannot find the function 'main' in /bin/stripped: it is stripped, and exports no function",
        1,
    ),
    (
        "--file libc.so.6 --function memcpy",
        "cannot find one function 'memcpy'",
        1,
    ),
    (
        "--file /etc/passwd --function main",
        "cannot read /etc/passwd as a 64-bit ELF file",
        1,
    ),
    (
        "--file /no/such --function main",
        "cannot read /no/such: No such file",
        1,
    ),
    (
        "--file libno.so --function main",
        "cannot find the library libno.so: give its path",
        1,
    ),
    (
        "--file /bin/uprobe --function greet --pid 4000000",
        "cannot attach on_return to /bin/uprobe",
        1,
    ),
    (
        "--file /bin/uprobe --usdt lesson:no_such",
        "cannot find the probe point lesson:no_such in /bin/uprobe",
        1,
    ),
    (
        "--file /bin/uprobe --function greet --pid 4294967295",
        "invalid value '4294967295' for '--pid <PID>'",
        2,
    ),
    (
        "--file /bin/uprobe --function greet --arguments string,string",
        "cannot show more than three --arguments, or two strings",
        1,
    ),
    (
        "--file /bin/uprobe --function greet --arguments int,int,int,int",
        "cannot show more than three --arguments, or two strings",
        1,
    ),
    (
        "--file /bin/uprobe --usdt lesson",
        "must be a provider and a name",
        2,
    ),
    (
        "--file /bin/uprobe --function greet --pid 0",
        "0 is not in",
        2,
    ),
    ("--function greet", "--file <PATH>", 2),
    ("", "|--cost|--first>", 2),
];

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn each_fault_is_told_with_its_exit_code() {
    let mut started = start("6.12");
    for (arguments, message, code) in FAULTS {
        let line = format!("LESSON {arguments} 2>&1; echo exit code $?");
        for printed in each(&mut started, &line) {
            assert!(printed.contains("error: "), "{arguments}: {printed}");
            assert!(printed.contains(message), "{arguments}: {printed}");
            assert!(
                printed.ends_with(&format!("exit code {code}\n")),
                "{arguments}: {printed}"
            );
        }
    }
    let as_nobody = format!("{AS_NOBODY} /bin/uprobe -- --demo 2>&1; echo exit code $?");
    for printed in each(&mut started, &as_nobody) {
        assert!(
            printed.contains("only root may do that here\nhelp: sudo"),
            "{printed}"
        );
        assert!(printed.ends_with("exit code 3\n"), "{printed}");
    }
}

/// The chapter says so: up to 6.17 the kernel executes a nop of five bytes in a copy, as slowly as
/// any other instruction; from 6.18 on, a call takes its place.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_long_nop_is_quick_from_6_18_on() {
    for kernel in ["6.12", "6.18", "7.3"] {
        for printed in each(&mut start(kernel), "LESSON --cost") {
            let cost = |row: &str| {
                let line = printed.lines().find(|line| line.starts_with(row)).unwrap();
                let cost: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
                cost
            };
            let (short, long) = (cost("uprobe on nop, of 1"), cost("uprobe on nop, of 5"));
            assert_eq!(long < 3.0 * short, kernel != "6.12", "{kernel}: {printed}");
            assert!(
                cost("not watched") < 1.0 && short > 1.0,
                "{kernel}: {printed}"
            );
        }
    }
}
