//! `bpf-explain` as people meet it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const LOG: &str = "tests/logs/null-6.18.log";

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bpf-explain"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_log_from_a_file_and_from_a_pipe() {
    let of_file = explain(&[LOG], b"");
    assert_eq!(of_file.status.code(), Some(0));
    let said = text(&of_file.stdout);
    assert!(said.starts_with("R0 invalid mem access 'map_value_or_null'\n"));
    assert!(said.contains("\nfix in Rust\n"), "{said}");
    let log = std::fs::read(LOG).unwrap();
    for arguments in [&[][..], &["-"]] {
        let of_pipe = explain(arguments, &log);
        assert_eq!(text(&of_pipe.stdout), said);
        assert_eq!(text(&of_pipe.stderr), "");
    }
}

#[test]
fn each_format_has_its_form() {
    for (format, start) in [
        ("text", "R0 invalid mem access"),
        ("json", "{\n  \"version\": 1,\n"),
        ("rustc", "{\"$message_type\":\"diagnostic\","),
        ("sarif", "{\n  \"$schema\": "),
        ("github", "::error file=null.c,line=13,"),
    ] {
        let output = explain(&["--format", format, LOG], b"");
        assert_eq!(output.status.code(), Some(0));
        let said = text(&output.stdout);
        assert!(said.starts_with(start), "{format}: {said}");
        assert!(said.ends_with('\n') && !said.ends_with("\n\n"), "{format}");
    }
}

#[test]
fn what_is_not_explained_is_exit_code_1() {
    let unknown = b"0: R1=ctx() R10=fp0\n0: (95) exit\nthe moon is in the wrong phase\n\
        processed 1 insns (limit 1000000)\n";
    for input in [&b""[..], b"hello\n", b"\xff\xfe\x00\x1b[2J", unknown] {
        let output = explain(&[], input);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), "");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_class_without_a_log() {
    let output = explain(&["--code", "uninit-reg"], b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("uninit-reg: "));
    let output = explain(&["--code", "all"], b"");
    assert!(text(&output.stdout).lines().count() > 90);
    for (name, field) in [("uninit-reg", "class"), ("all", "classes")] {
        let output = explain(&["--code", name, "--format", "json"], b"");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(json["version"] == 1 && !json[field].is_null());
    }
}

#[test]
fn an_error_says_what_to_type_next() {
    for (arguments, what, help) in [
        (
            &["nowhere.log"][..],
            "cannot read 'nowhere.log': No such file",
            "bpf-explain",
        ),
        (&["/"], "cannot read '/': Is a directory", "bpf-explain"),
        (
            &["--code", "unint-reg"],
            "no class of errors is called 'unint-reg'",
            "uninit-reg",
        ),
        (
            &["--code", "zzz"],
            "no class of errors is called 'zzz'",
            "--code all",
        ),
        (
            &["--code", "all", "--format", "sarif"],
            "needs a log",
            "--format json",
        ),
        (
            &["--source", "nowhere", LOG],
            "--source 'nowhere' is no directory",
            "subdirectories",
        ),
        (&["--format", "sarf", LOG], "invalid value 'sarf'", "sarif"),
        (&["--code", "all", LOG], "cannot be used with", "--help"),
    ] {
        let output = explain(arguments, b"");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.contains(what), "{said}");
        assert!(said.contains(help), "{said}");
    }
}

/// `bpf-explain ... | head -1`
#[test]
fn output_that_nobody_reads_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bpf-explain"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let log = std::fs::read(LOG).unwrap();
    child.stdin.take().unwrap().write_all(&log).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bpf-explain"))
        .arg(LOG)
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: cannot write to standard output: "),
        "{said}"
    );
}

#[test]
fn standard_input_may_be_closed() {
    let output = Command::new("sh")
        .args(["-c", "\"$0\" <&-", env!("CARGO_BIN_EXE_bpf-explain")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("no verifier log: "));
}

#[test]
fn nothing_from_a_log_reaches_the_terminal_as_it_is() {
    let log = b"; evil \x1b[2J\xc2\x9b31m @ a\x1b]0;x\x07.c:1\n0: (bf) r0 = r2\x1b[31m\n\
        R2 !read_ok\x1b[0m\nprocessed 1 insns (l";
    for format in ["text", "json", "rustc", "sarif", "github"] {
        let output = explain(&["--format", format], log);
        let is_control = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text(&output.stdout).contains(is_control), "{format}");
    }
}

/// Whoever pipes a log of any length into it needs little memory.
#[test]
fn a_long_log_is_read_as_it_comes() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bpf-explain"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let log = std::fs::read_to_string(LOG).unwrap();
    let steps = "7: (bf) r1 = r0                       ; R0=scalar() R1_w=scalar()\n".repeat(1000);
    let (start, end) = log.split_at(log.find("\n7: ").unwrap() + 1);
    stdin.write_all(start.as_bytes()).unwrap();
    for _ in 0..500 {
        stdin.write_all(steps.as_bytes()).unwrap();
    }
    stdin.write_all(end.as_bytes()).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).starts_with("R0 invalid mem access"));
    // The log is 32 MB.
    assert!(kib < 16 * 1024, "{kib} KiB");
}
