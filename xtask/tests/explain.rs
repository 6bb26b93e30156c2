//! `explain` as people meet it: real logs of real kernels, and input that is none.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use common::{Run, stderr, stdout};
use xtask::workspace;

/// A log of `xtask/verifier-log/tests/logs`; its name ends in the kernel that it comes from.
fn log(name: &str) -> PathBuf {
    workspace::root().join("xtask/verifier-log/tests/logs").join(name)
}

fn explained(name: &str) -> String {
    let output = Run::new(&["explain", log(name).to_str().unwrap()]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn from_stdin(arguments: &[&str], input: &[u8]) -> Output {
    let mut run = Run::new(arguments);
    let pipes = run.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_index_without_enough_of_a_limit() {
    insta::assert_snapshot!(explained("index-5.10.log"));
}

#[test]
fn the_same_on_a_kernel_that_explains_itself() {
    insta::assert_snapshot!(explained("index-7.3.log"));
}

#[test]
fn a_pointer_without_a_check() {
    insta::assert_snapshot!(explained("null-6.18.log"));
}

#[test]
fn a_kernel_pointer_read_directly() {
    insta::assert_snapshot!(explained("deref-7.3.log"));
}

#[test]
fn a_header_of_unknown_length() {
    insta::assert_snapshot!(explained("packet-6.1.log"));
}

#[test]
fn a_length_from_a_helper() {
    insta::assert_snapshot!(explained("length-5.10.log"));
}

#[test]
fn a_record_that_is_never_submitted() {
    insta::assert_snapshot!(explained("leak-6.12.log"));
}

#[test]
fn two_frames_that_are_too_large() {
    insta::assert_snapshot!(explained("frames-6.1.log"));
}

#[test]
fn the_log_as_json() {
    let output = Run::new(&["explain", "--json", log("index-7.3.log").to_str().unwrap()]).output();
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn several_programs_the_failing_one_first() {
    let accepted = "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n";
    let rejected = fs::read_to_string(log("leak-6.12.log")).unwrap();
    let output = from_stdin(&["explain", "-"], format!("{accepted}{rejected}{accepted}").as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.starts_with("Unreleased reference id=2"), "{text}");
    assert!(text.ends_with("logs without a rejection, in the same text: 2\n"), "{text}");
}

#[test]
fn what_is_no_rejection_is_said_plainly() {
    let accepted = "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n";
    let output = from_stdin(&["explain", "-"], accepted.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn an_unknown_message_is_shown_and_not_guessed_at() {
    let log = "0: R1=ctx() R10=fp0\n0: (95) exit\nthe moon is in the wrong phase\nprocessed 1 insns (limit 1000000)\n";
    let output = from_stdin(&["explain", "-"], log.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn no_log_at_all() {
    for input in [&b""[..], b"hello\n", b"\xff\xfe\x00\x1b[2J", &[0; 100_000]] {
        let output = from_stdin(&["explain", "-"], input);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).starts_with("no verifier log: "), "{}", stdout(&output));
        let output = from_stdin(&["explain", "--json", "-"], input);
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(json, serde_json::json!({"version": 1, "verdict": "no-log", "programs": []}));
    }
}

#[test]
fn nothing_from_a_log_reaches_the_terminal_as_it_is() {
    let log = b"; evil \x1b[2J\xc2\x9b31m @ a\x1b]0;x\x07.c:1\n0: (bf) r0 = r2\x1b[31m\nR2 !read_ok\x1b[0m\nprocessed 1 insns (l";
    for arguments in [&["explain", "-"][..], &["explain", "--json", "-"]] {
        let output = from_stdin(arguments, log);
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
    }
}

#[test]
fn standard_input_may_be_closed() {
    let program = Run::new(&[]).command.get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    let output = shell.arg("-c").arg("\"$0\" explain - <&-").arg(program).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("no verifier log: "));
}

#[test]
fn a_file_that_is_not_there() {
    for (file, reason) in [("nowhere.log", "No such file"), ("/", "Is a directory")] {
        let output = Run::new(&["explain", file]).output();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        let text = stderr(&output);
        assert!(text.contains(&format!("cannot read '{file}'")) && text.contains(reason), "{text}");
        assert!(text.contains("help"), "{text}");
    }
}

#[test]
fn neither_a_file_nor_a_class() {
    let output = Run::new(&["explain"]).output();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_class_by_its_name() {
    let output = Run::new(&["explain", "--code", "uninit-stack"]).output();
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn a_class_that_is_misspelt() {
    let output = Run::new(&["explain", "--code", "unint-stack"]).output();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn all_classes() {
    let output = Run::new(&["explain", "--code", "all"]).output();
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn the_gallery_is_named_where_it_has_an_entry() {
    for (class, entry) in [
        ("scalar-deref", Some("scalar-deref")),
        ("relocation-failed", Some("relocation-fails")),
        ("object-not-bpf", None),
    ] {
        let output = Run::new(&["explain", "--code", class]).output();
        let text = stdout(&output);
        let named = text.lines().find_map(|line| line.strip_prefix("gallery: cargo xtask gallery "));
        assert_eq!(named, entry, "{text}");
    }
}

/// An entry about a class that `explain` does not know would never be named.
#[test]
fn the_gallery_and_explain_use_the_same_names() {
    let entries = workspace::root().join("lessons/07-verifier-pitfalls/entries");
    let mut count = 0;
    for entry in fs::read_dir(entries).unwrap() {
        let entry = entry.unwrap();
        let about: toml::Table =
            toml::from_str(&fs::read_to_string(entry.path().join("entry.toml")).unwrap()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        let class = about.get("class").map_or(name.as_str(), |class| class.as_str().unwrap());
        let output = Run::new(&["explain", "--code", class]).output();
        assert_eq!(output.status.code(), Some(0), "entry {name}, class {class}: {}", stderr(&output));
        count += 1;
    }
    assert!(count > 40, "{count}");
}
