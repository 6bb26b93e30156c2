//! Lesson 03 where something is missing or too much: faults of the machine, signals, and a storm of
//! events.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::process::Command;

use common::shell;
use common::test_vm::TestVm;
use plan::Step;
use serde_json::Value;
use testvm::{Failure, Started};

/// Runs the program that follows as the user nobody; its arguments come after `--`.
const AS_NOBODY: &str = "busybox start-stop-daemon -S -q -c nobody -x";

/// A VM with the lesson, with busybox, and with a program that makes a storm.
fn start(kernel: &str) -> Started {
    let folder = tempfile::tempdir().unwrap();
    let (source, storm) = (folder.path().join("storm.c"), folder.path().join("storm"));
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
            format!("{lesson} --buffer 1073741824 2>&1; echo code $?"),
            format!("{lesson} --buffer 5000 2>&1; echo code $?"),
        ];
        let said = run(&mut started, &lines.each_ref().map(String::as_str));
        println!("{said:#?}");
        ends(
            &said[0],
            &[
                "error: look into tracefs: it is not mounted",
                "help: mount -t tracefs",
                "--way btf",
            ],
            3,
        );
        ends(
            &said[1],
            &[
                "left out  tracepoint: look into tracefs",
                "attached  to sched_process_exec as raw, btf",
            ],
            0,
        );
        ends(
            &said[2],
            &[
                "error: find the kernel's types: it has no BTF",
                "--impl aya --way tracepoint",
            ],
            3,
        );
        match implementation {
            "aya" => ends(
                &said[3],
                &["left out  raw", "left out  btf", "seen      4 events"],
                0,
            ),
            _ => ends(
                &said[3],
                &[
                    "error: find the kernel's types",
                    "--impl aya --way tracepoint",
                ],
                3,
            ),
        }
        ends(
            &said[4],
            &["error: load an eBPF program: only root", "help: sudo"],
            3,
        );
        ends(
            &said[5],
            &[
                "error: ",
                "a ring buffer of 1073741824 bytes",
                "help: --buffer 262144",
            ],
            3,
        );
        ends(&said[6], &["a power of two from 4096 on"], 2);
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

/// The line that begins a JSON run can be waited for; what is said next is told by a signal.
fn listen(arguments: &str, then: &str) -> String {
    format!(
        "busybox mkfifo /tmp/said; tracepoint {arguments} > /tmp/said & pid=$!; exec 3< /tmp/said; \
         read -r attached <&3; {then}; wait $pid; echo code $?; busybox rm /tmp/said"
    )
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn signals_detach() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        for (signal, code) in [("INT", 0), ("TERM", 0), ("HUP", 0), ("KILL", 137)] {
            let arguments = format!("--impl {implementation} --way all --json");
            let line = listen(
                &arguments,
                &format!("kill -{signal} $pid; read -r summary <&3; echo \"$summary\""),
            );
            let said = run(&mut started, &[&line]).remove(0);
            assert!(
                said.ends_with(&format!("code {code}\n")),
                "{implementation} {signal}: {said}"
            );
            assert_eq!(
                said.contains(r#""type":"summary""#),
                code == 0,
                "{implementation} {signal}: {said}"
            );
        }
        // At any moment: while it loads, attaches, runs its demo.
        let moments = (0..20).map(|part| {
            format!(
                "tracepoint --impl {implementation} --demo & busybox usleep {}; kill -INT $!; wait",
                part * 60_000
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
fn filters_choose_and_the_summary_counts_all() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        let filtered = listen(
            &format!("--impl {implementation} --json --comm storm --uid 65534"),
            &format!(
                "/bin/storm 1; {AS_NOBODY} /bin/storm -- 1; kill -INT $pid; \
                 read -r first <&3; read -r second <&3; read -r summary <&3; echo \"[$first,$second,$summary]\""
            ),
        );
        let said = run(&mut started, &[&filtered]).remove(0);
        let lines: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        for event in &lines.as_array().unwrap()[..2] {
            assert_eq!(
                (&event["comm"], &event["filename"]),
                (&"storm".into(), &"/bin/storm".into()),
                "{said}"
            );
            assert_eq!(event["uid"], 65534, "{said}");
        }
        // Two by root, busybox, two by nobody.
        assert_eq!(
            (&lines[2]["received"], &lines[2]["shown"]),
            (&5.into(), &2.into()),
            "{said}"
        );
    }
}

/// As many executions as make 100,000 events, seen three times each: the first by the shell, the
/// others by itself.
const EXECUTIONS: u64 = 33_334;

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn a_storm_loses_no_event_without_counting_it() {
    let mut started = start("6.12");
    for implementation in ["aya", "libbpf"] {
        // One page, and nothing shown that would slow the kernel side down.
        let storm = listen(
            &format!("--impl {implementation} --json --way all --buffer 4096 --comm none"),
            &format!(
                "/bin/storm {}; kill -INT $pid; read -r summary <&3; echo \"$summary\"",
                EXECUTIONS - 1
            ),
        );
        let said = run(&mut started, &[&storm]).remove(0);
        let summary: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        let lost: u64 = summary["lost"]
            .as_object()
            .unwrap()
            .values()
            .map(|count| count.as_u64().unwrap())
            .sum();
        let received = summary["received"].as_u64().unwrap();
        println!("{implementation}: {received} received, {lost} lost");
        assert_eq!(received + lost, 3 * EXECUTIONS, "{said}");
        assert!(
            received > 0 && lost > 0,
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

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
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
