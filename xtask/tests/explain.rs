//! `explain` as people meet it: real logs of real kernels, and input that is none.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use checkout::workspace;
use common::{Run, stderr, stdout};

/// A log of `xtask/bpf-verifier-log/tests/logs`; its name ends in the kernel that it comes from.
fn log(name: &str) -> PathBuf {
    workspace::workspace_root()
        .join("xtask/bpf-verifier-log/tests/logs")
        .join(name)
}

fn explained(name: &str) -> String {
    let output = Run::new(&["explain", log(name).to_str().unwrap()]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn from_stdin(arguments: &[&str], input: &[u8]) -> Output {
    let mut run = Run::new(arguments);
    let pipes = run
        .command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
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

/// The verifier looks for it before it follows an instruction, so the log has none.
#[test]
fn a_panic_that_was_left_in() {
    insta::assert_snapshot!(explained("panic-7.3.log"));
}

#[test]
fn a_helper_is_named_by_its_number() {
    let text = explained("helper-5.10.log");
    assert!(
        text.contains("\n  Helper 189 is bpf_xdp_load_bytes, which came with Linux 5.18.\n"),
        "{text}"
    );
}

/// The list has to be that of libbpf, whose headers number the helpers.
#[test]
fn helpers_are_numbered_as_in_libbpf() {
    let header = directories_of_crates("libbpf-sys")[0].join("libbpf/src/bpf_helper_defs.h");
    let header = fs::read_to_string(header).unwrap();
    let declarations = header
        .lines()
        .filter_map(|line| line.split_once("(* const ")?.1.split_once(")("));
    let numbered = declarations.map(|(name, rest)| {
        let number = rest.rsplit("(void *) ").next().unwrap();
        (number.trim_end_matches(';').parse::<usize>().unwrap(), name)
    });
    let names = include_str!("../bpf-verifier-log/data/helpers.txt")
        .lines()
        .zip(1..);
    assert!(numbered.eq(names.map(|(name, number)| (number, name))));
}

#[test]
fn the_log_as_json() {
    let output = Run::new(&["explain", "--json", log("index-7.3.log").to_str().unwrap()]).output();
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn the_log_in_forms_that_other_programs_read() {
    let log = log("null-6.18.log");
    for (format, start) in [
        ("text", "R0 invalid mem access 'map_value_or_null'\n"),
        ("json", "{\n  \"version\": 1,\n"),
        ("rustc", "{\"$message_type\":\"diagnostic\","),
        ("sarif", "{\n  \"$schema\": "),
        ("github", "::error file=null.c,line=13,"),
    ] {
        let output = Run::new(&["explain", "--format", format, log.to_str().unwrap()]).output();
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(text.starts_with(start), "{format}: {text}");
    }
    let json = ["--json", "--format=json"]
        .map(|option| stdout(&Run::new(&["explain", option, log.to_str().unwrap()]).output()));
    assert_eq!(json[0], json[1]);
}

#[test]
fn a_form_that_needs_a_log_without_one() {
    let output = Run::new(&["explain", "--code", "all", "--format", "sarif"]).output();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.contains("--format sarif is about a log, and none is given"),
        "{text}"
    );
    assert!(text.contains("help"), "{text}");
}

#[test]
fn several_programs_the_failing_one_first() {
    let accepted =
        "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n";
    let rejected = fs::read_to_string(log("leak-6.12.log")).unwrap();
    let output = from_stdin(
        &["explain", "-"],
        format!("{accepted}{rejected}{accepted}").as_bytes(),
    );
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.starts_with("Unreleased reference id=2"), "{text}");
    assert!(
        text.ends_with("logs without a rejection, in the same text: 2\n"),
        "{text}"
    );
}

#[test]
fn what_is_no_rejection_is_said_plainly() {
    let accepted =
        "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n";
    let output = from_stdin(&["explain", "-"], accepted.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn an_unknown_message_is_shown_and_not_guessed_at() {
    let log = "0: R1=ctx() R10=fp0\n0: (95) exit\nthe moon is in the wrong phase\n\
        processed 1 insns (limit 1000000)\n";
    let output = from_stdin(&["explain", "-"], log.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output));
}

#[test]
fn no_log_at_all() {
    for input in [&b""[..], b"hello\n", b"\xff\xfe\x00\x1b[2J", &[0; 100_000]] {
        let output = from_stdin(&["explain", "-"], input);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stdout(&output).starts_with("no verifier log: "),
            "{}",
            stdout(&output)
        );
        let output = from_stdin(&["explain", "--json", "-"], input);
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let expected = serde_json::json!({
            "version": 1, "verdict": "no-log", "answer": null, "programs": [],
        });
        assert_eq!(json, expected);
    }
}

#[test]
fn nothing_from_a_log_reaches_the_terminal_as_it_is() {
    let log = b"; evil \x1b[2J\xc2\x9b31m @ a\x1b]0;x\x07.c:1\n0: (bf) r0 = r2\x1b[31m\n\
        R2 !read_ok\x1b[0m\nprocessed 1 insns (l";
    for arguments in [&["explain", "-"][..], &["explain", "--json", "-"]] {
        let output = from_stdin(arguments, log);
        assert_eq!(output.status.code(), Some(0));
        let text = stdout(&output);
        assert!(
            !text
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
            "{text:?}"
        );
    }
}

#[test]
fn standard_input_may_be_closed() {
    let program = Run::new(&[]).command.get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    let output = shell
        .arg("-c")
        .arg("\"$0\" explain - <&-")
        .arg(program)
        .output()
        .unwrap();
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
        assert!(
            text.contains(&format!("cannot read '{file}'")) && text.contains(reason),
            "{text}"
        );
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
        let named = text
            .lines()
            .find_map(|line| line.strip_prefix("gallery: cargo xtask gallery "));
        assert_eq!(named, entry, "{text}");
    }
}

/// An entry about a class that `explain` does not know would never be named.
#[test]
fn the_gallery_and_explain_use_the_same_names() {
    let entries = workspace::workspace_root().join("lessons/07-verifier-pitfalls/entries");
    let mut count = 0;
    for entry in fs::read_dir(entries).unwrap() {
        let entry = entry.unwrap();
        let about: toml::Table =
            toml::from_str(&fs::read_to_string(entry.path().join("entry.toml")).unwrap()).unwrap();
        let name = entry.file_name().into_string().unwrap();
        let class = about
            .get("class")
            .map_or(name.as_str(), |class| class.as_str().unwrap());
        let output = Run::new(&["explain", "--code", class]).output();
        assert_eq!(
            output.status.code(),
            Some(0),
            "entry {name}, class {class}: {}",
            stderr(&output)
        );
        count += 1;
    }
    assert!(count > 40, "{count}");
}

/// What the advice for Rust names must exist: in the crates that it is about, in `core`, or as an
/// option of rustc.
#[test]
fn names_in_the_advice_for_rust_exist() {
    let output = Run::new(&["explain", "--code", "all", "--json"]).output();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let advice = all["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["fix_rust"].as_str().unwrap());
    let advice = advice.collect::<Vec<_>>().join("\n");
    let sources = sources_of_rust();
    let declared = declared_in(&sources);
    let names = names_in_code(&advice);
    let missing: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| !declared.contains(name))
        .collect();
    assert_eq!(missing, NOT_DECLARED, "declared neither in aya nor in core");
    assert!(names.len() > 60, "{names:?}");

    let options = std::process::Command::new("rustc")
        .args(["-C", "help"])
        .output()
        .unwrap();
    let options = stdout(&options);
    for option in advice.split("`-C ").skip(1) {
        let name = option.split(['=', '`', ' ']).next().unwrap();
        let is_listed = |line: &str| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|word| word.starts_with(name))
        };
        assert!(options.lines().any(is_listed), "rustc has no -C {name}");
    }
}

/// What follows the keyword of a declaration.
fn declared_in(sources: &str) -> std::collections::BTreeSet<&str> {
    const KEYWORDS: [&str; 8] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "mod",
        "macro_rules",
    ];
    let mut words = sources
        .split(|letter| !is_of_a_name(letter))
        .filter(|word| !word.is_empty())
        .peekable();
    let mut declared = std::collections::BTreeSet::new();
    while let Some(word) = words.next() {
        declared.extend(words.peek().filter(|_| KEYWORDS.contains(&word)));
    }
    declared
}

/// A word of a licence, what aya takes from the crate `object`, a type of the reader's, and crates.
const NOT_DECLARED: [&str; 5] = ["Dual", "Endianness", "Event", "aya", "aya_ebpf"];

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Names of functions, methods, types, attributes and macros in the code between backticks.
fn names_in_code(text: &str) -> std::collections::BTreeSet<&str> {
    let code = text.split('`').skip(1).step_by(2);
    let mut names = std::collections::BTreeSet::new();
    for code in code.filter(|code| !code.starts_with('-')) {
        for name in code
            .split(|letter| !is_of_a_name(letter))
            .filter(|name| name.len() > 1)
        {
            let after = &code[name.as_ptr() as usize - code.as_ptr() as usize + name.len()..];
            let before = &code[..name.as_ptr() as usize - code.as_ptr() as usize];
            let is_called =
                after.starts_with('(') || after.starts_with("::") || before.ends_with("#[");
            let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
            if is_called || is_type {
                names.insert(name);
            }
        }
    }
    names
}

/// Where cargo keeps the sources of the crates that are called so, and of those whose names begin
/// so.
fn directories_of_crates(name: &str) -> Vec<PathBuf> {
    let manifest = workspace::workspace_root().join("Cargo.toml");
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--format-version=1",
            "--offline",
            // The crates for other systems are fetched only by a command that needs them.
            "--filter-platform=host-tuple",
            "--manifest-path",
        ])
        .arg(manifest);
    let metadata: serde_json::Value =
        serde_json::from_slice(&cargo.output().unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let named = packages.filter(|package| package["name"].as_str().unwrap().starts_with(name));
    let manifests = named.map(|package| PathBuf::from(package["manifest_path"].as_str().unwrap()));
    manifests
        .map(|manifest| manifest.parent().unwrap().to_owned())
        .collect()
}

/// aya's crates, as Cargo.lock names them, and `core`.
fn sources_of_rust() -> String {
    let mut directories = directories_of_crates("aya");
    directories
        .iter_mut()
        .for_each(|directory| directory.push("src"));
    let sysroot = std::process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .unwrap();
    let library = PathBuf::from(stdout(&sysroot).trim()).join("lib/rustlib/src/rust/library");
    directories.extend([library.join("core/src"), library.join("alloc/src")]);
    let mut sources = String::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    sources
}
