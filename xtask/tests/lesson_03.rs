//! Lesson 03 where something is missing or too much: faults of the machine, signals, and a storm of
//! events.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::process::Command;

use common::shell;
use common::test_vm::TestVm;
use kernel::MATRIX;
use plan::Step;
use testvm::{Failure, Started};

/// Runs the program that follows as the user nobody; its arguments come after `--`.
const AS_NOBODY: &str = "busybox start-stop-daemon -S -q -c nobody -x";

/// A VM with the lesson, with busybox, and with a program that makes a storm.
fn start(kernel: &str) -> Started {
    let directory = tempfile::tempdir().unwrap();
    let [source, storm] = ["storm.c", "storm"].map(|name| directory.path().join(name));
    fs::write(&source, STORM).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args([
            "-static",
            "-nostdlib",
            "-Os",
            "-s",
            "-fno-stack-protector",
            "-o",
        ])
        .args([&storm, &source]);
    assert!(compiler.status().unwrap().success());
    TestVm::on(kernel)
        .with_tools()
        .with_lesson("03")
        .with_program(&storm)
        .with_file("etc/passwd", b"nobody:x:65534:65534::/:\n")
        .start()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_first_program_sees_an_execution_on_every_kernel() {
    for kernel in MATRIX {
        let mut started = TestVm::on(kernel).with_tools().with_lesson("03").start();
        let lines = ["aya", "libbpf"].map(|name| format!("tracepoint --first --impl {name}"));
        for printed in run(&mut started, &lines.each_ref().map(String::as_str)) {
            let mut settings = insta::Settings::clone_current();
            settings.set_omit_expression(true);
            settings.add_filter(r"process \d+", "process 1234");
            settings.bind(|| insta::assert_snapshot!("first", printed));
        }
    }
}

/// Runs lines of shell in one guest and returns what each printed; nothing may be left behind.
fn run(started: &mut Started, lines: &[&str]) -> Vec<String> {
    let steps = lines
        .iter()
        .map(|line| Step {
            seconds: Some(600),
            ..shell(line)
        })
        .collect();
    let (report, printed) = common::run(started, steps);
    let report = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.left_behind, [""; 0]);
    assert_eq!(report.complaints, [""; 0]);
    printed
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn what_is_missing_is_said_with_what_to_do() {
    let mut started = start("6.12");
    let without = |mount: &str, command: &str| {
        format!("busybox unshare -m sh -c '{mount}; {command} 2>&1; echo code $?'")
    };
    let no_tracefs = "umount /sys/kernel/tracing";
    let no_btf = "mount -t tmpfs none /sys/kernel/btf";
    for implementation in ["aya", "libbpf"] {
        let lesson = format!("tracepoint --impl {implementation}");
        let lines = [
            without(no_tracefs, &format!("{lesson} --way tracepoint")),
            without(no_tracefs, &format!("{lesson} --demo")),
            without(no_btf, &lesson),
            without(no_btf, &format!("{lesson} --demo")),
            format!("{AS_NOBODY} /bin/tracepoint -- --impl {implementation} 2>&1; echo code $?"),
            format!("{lesson} --buffer 5 2>&1; echo code $?"),
        ];
        let said = run(&mut started, &lines.each_ref().map(String::as_str));
        println!("{said:#?}");
        let texts = [
            "error: ",
            "tracefs: it is not mounted",
            "help: mount -t tracefs",
            "--way btf",
        ];
        ends(&said[0], &texts, 3);
        let texts = [
            "left out  tracepoint: ",
            "tracefs: it is not mounted",
            "attached  to sched_process_exec as raw, btf",
            "seen      8 events",
        ];
        ends(&said[1], &texts, 0);
        let no_btf = ["error: ", "it has no BTF", "--impl aya --way tracepoint"];
        ends(&said[2], &no_btf, 3);
        if implementation == "aya" {
            let texts = ["left out  raw", "left out  btf", "seen      4 events"];
            ends(&said[3], &texts, 0);
        } else {
            ends(&said[3], &no_btf, 3);
        }
        ends(&said[4], &["error: ", "only root", "help: sudo"], 3);
        ends(&said[5], &["a power of two from 4"], 2);
    }
}

/// Whether the texts are all there, and the exit code is this one.
fn ends(said: &str, texts: &[&str], code: u8) {
    for text in texts {
        assert!(said.contains(text), "'{text}' is not in: {said}");
    }
    assert!(
        said.ends_with(&format!("code {code}\n")),
        "the exit code is not {code}: {said}"
    );
}

/// Runs the lesson, and a line of shell when it is attached: that is when it has printed its first
/// line. The shell waits for it without a program, which would be an event: it reads for a moment
/// what nobody writes. Prints the last lines of the lesson.
fn listen(arguments: &str, then: &str) -> String {
    format!(
        "busybox mkfifo /tmp/never; exec 3<>/tmp/never; \
         tracepoint {arguments} > /tmp/out & pid=$!; \
         until read -r attached < /tmp/out; do read -t 0.02 nothing <&3; done; \
         {then}; wait $pid; echo code $?; busybox tail -n 4 /tmp/out; \
         busybox rm /tmp/out /tmp/never"
    )
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn signals_detach() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        for (signal, code) in [("INT", 0), ("TERM", 0), ("HUP", 0), ("KILL", 137)] {
            let arguments = format!("--impl {implementation} {ALL_WAYS}");
            let line = listen(&arguments, &format!("kill -{signal} $pid"));
            let said = run(&mut started, &[&line]).remove(0);
            let context = format!("{implementation} {signal}: {said}");
            assert!(said.contains(&format!("code {code}\n")), "{context}");
            let is_detached = said.contains("detached  sched_process_exec");
            assert_eq!(is_detached, code == 0, "{context}");
        }
        // At any moment: while it loads, attaches, runs its demo.
        let moments = (0..20).map(|part| {
            let wait = part * 60_000;
            format!(
                "tracepoint --impl {implementation} --demo & busybox usleep {wait}; \
                 kill -INT $!; wait"
            )
        });
        let moments: Vec<_> = moments.collect();
        run(
            &mut started,
            &moments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_three_ways_see_the_same() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        let line = format!("tracepoint --impl {implementation} --demo & echo lesson $!; wait $!");
        let said = run(&mut started, &[&line]).remove(0);
        let lesson = said.lines().find_map(|line| line.strip_prefix("lesson "));
        let rows: Vec<Vec<&str>> = said
            .lines()
            .skip_while(|line| !line.starts_with("WAY "))
            .map(|line| line.split_whitespace().collect())
            .filter(|row: &Vec<_>| {
                ["tracepoint", "raw", "btf"].contains(row.first().unwrap_or(&""))
            })
            .collect();
        assert_eq!(rows.len(), 12, "{said}");
        for ways in rows.chunks(3) {
            // Way, time, process, parent, user, name, file.
            let columns = |index: usize| [ways[0][index], ways[1][index], ways[2][index]];
            assert_eq!(columns(0), ["tracepoint", "raw", "btf"], "{said}");
            assert_eq!(
                columns(3),
                ["-", lesson.unwrap(), lesson.unwrap()],
                "{said}"
            );
            for index in [2, 4, 5, 6] {
                let [first, second, third] = columns(index);
                assert!(first == second && second == third, "{said}");
            }
        }
        assert!(
            !said
                .lines()
                .any(|line| line.ends_with("  /no/such/program")),
            "{said}"
        );
    }
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn without_the_demo_every_execution_is_shown() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        let line = listen(
            &format!("--impl {implementation}"),
            &format!("/bin/storm 0; {AS_NOBODY} /bin/storm -- 0; kill -INT $pid"),
        );
        let line = line.replace("tail -n 4", "tail -n 6");
        let said = run(&mut started, &[&line]).remove(0);
        let by = |uid: &str| {
            let rows = said
                .lines()
                .filter(|line| line.ends_with("storm             /bin/storm"));
            rows.filter(|line| line.contains(&format!("  {uid}  storm ")))
                .count()
        };
        assert_eq!((by("    0"), by("65534")), (1, 1), "{said}");
        // The two, and busybox, which executed the second.
        assert!(said.contains("seen      3 events, 0 lost"), "{said}");
    }
}

const ALL_WAYS: &str = "--way tracepoint --way raw --way btf";

/// Executions while the lesson does not run, seen three times each: a page has no room for a tenth
/// of these events, so some are lost, however quick the lesson is.
const UNREAD: u64 = 100;

/// Executions while it reads: their events fill the page hundreds of times.
const READ: u64 = 3_234;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_loses_no_event_without_counting_it() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        // The first execution is by the shell, the others by the program itself.
        let [unread, read] = [UNREAD - 1, READ - 1];
        // One page, which overflows as soon as the reader is slower.
        let storm = listen(
            &format!("--impl {implementation} {ALL_WAYS} --buffer 4"),
            &format!(
                "kill -STOP $pid; /bin/storm {unread}; kill -CONT $pid; /bin/storm {read}; \
                 kill -INT $pid"
            ),
        );
        let said = run(&mut started, &[&storm]).remove(0);
        let sum = said.lines().find(|line| line.starts_with("seen "));
        let numbers = sum.unwrap().split(' ').filter_map(|word| word.parse().ok());
        let numbers: Vec<u64> = numbers.collect();
        let [seen, lost] = numbers[..] else {
            panic!("{said}");
        };
        println!("{implementation}: {seen} seen, {lost} lost");
        assert_eq!(seen + lost, 3 * (UNREAD + READ), "{said}");
        assert!(
            seen > 0 && lost > 0,
            "a buffer of one page must overflow: {said}"
        );
    }
}

/// Executes itself as often as its argument says: counts it down and passes it on. No library, for
/// speed.
const STORM: &str = r#"
static long call(long number, const void *a, const void *b, const void *c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

__attribute__((used)) static void begin(char **stack)
{
	char **argv = stack + 1;
	char *digit = argv[1];

	while (digit[1])
		digit++;
	while (digit > argv[1] && *digit == '0')
		*digit-- = '9';
	if (*digit > '0') {
		--*digit;
		call(59 /* execve */, argv[0], argv, 0);
	}
	call(60 /* exit */, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\ncall begin\n");
"#;
