//! The forms of a report, and what they say where the log does not say all.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fs;
use std::path::Path;

use bpf_verifier_log::report::{
    NoContext, PROGRAM_FIELDS, ReportContext, ReportFormat, SourcePlace, SourceTree, format_report,
};
use bpf_verifier_log::{ExplainedProgram, explain_log};
use serde_json::Value;

/// A program in C of Linux 6.12 and later, whose log names the file and the line.
const LOG: &str = "\
libbpf: prog 'count': BPF program load failed: -EACCES
0: R1=ctx() R10=fp0
; return *value; @ count.bpf.c:3
0: (79) r0 = *(u64 *)(r2 +0)
R2 !read_ok
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

const ACCEPTED: &str = "\
0: R1=ctx() R10=fp0
0: (b7) r0 = 0
1: (95) exit
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
";

fn report(log: &str, format: ReportFormat) -> String {
    format_report(&explain_log(log.as_bytes()), format, &NoContext)
}

fn rustc_lines(text: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(serde_json::from_str(line).unwrap());
    }
    lines
}

#[test]
fn the_readme_shows_what_is_printed() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, after) = readme.split_once("| bpf-explain\n").unwrap();
    let (shown, _) = after.split_once("...\n").unwrap();
    let text = report(LOG, ReportFormat::Text);
    assert!(text.starts_with(shown) && shown.len() > 100, "{text}");
}

#[test]
fn a_diagnostic_as_rustc_prints_it() {
    let text = report(LOG, ReportFormat::Rustc);
    let lines = rustc_lines(&text);
    let [line] = &lines[..] else { panic!("{text}") };
    insta::assert_snapshot!(serde_json::to_string_pretty(line).unwrap());
    insta::assert_snapshot!("rendered", line["rendered"].as_str().unwrap());
}

#[test]
fn a_log_of_sarif() {
    let version = format!("{:?}", env!("CARGO_PKG_VERSION"));
    let text = report(LOG, ReportFormat::Sarif);
    insta::assert_snapshot!(text.replace(&version, "\"VERSION\""));
}

#[test]
fn an_annotation_of_github() {
    insta::assert_snapshot!(report(LOG, ReportFormat::Github));
}

#[test]
fn several_programs_are_several_results() {
    let other = LOG.replace("count", "other").replace("R2", "R3");
    let log = format!("{LOG}{ACCEPTED}{other}");
    assert_eq!(rustc_lines(&report(&log, ReportFormat::Rustc)).len(), 2);
    let sarif: Value = serde_json::from_str(&report(&log, ReportFormat::Sarif)).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 2);
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
    let annotations = report(&log, ReportFormat::Github);
    assert_eq!(annotations.lines().count(), 2, "{annotations}");
    let text = report(&log, ReportFormat::Text);
    assert!(text.ends_with("logs without a rejection, in the same text: 1\n"));
}

#[test]
fn without_a_rejection_each_form_says_so() {
    for (log, said, successful) in [
        (ACCEPTED, "no rejection: ", true),
        ("hello\n", "no verifier log: ", false),
    ] {
        assert!(report(log, ReportFormat::Text).starts_with(said));
        let rustc = rustc_lines(&report(log, ReportFormat::Rustc));
        assert_eq!(rustc[0]["level"], "note");
        assert!(rustc[0]["message"].as_str().unwrap().starts_with(said));
        let sarif: Value = serde_json::from_str(&report(log, ReportFormat::Sarif)).unwrap();
        let run = &sarif["runs"][0];
        assert_eq!(run["results"], Value::Array(Vec::new()));
        let invocation = &run["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], successful);
        let told = &invocation["toolExecutionNotifications"][0]["message"]["text"];
        assert!(told.as_str().unwrap().starts_with(said));
        assert!(report(log, ReportFormat::Github).starts_with("::notice "));
    }
}

/// A diagnostic in a file of Rust gives advice for Rust only.
#[test]
fn the_fix_is_for_the_language_of_the_file() {
    for (file, c, rust) in [
        ("count.bpf.c", true, false),
        ("main.rs", false, true),
        ("main", true, true),
    ] {
        let log = LOG.replace("count.bpf.c", file);
        let text = report(&log, ReportFormat::Rustc);
        assert_eq!(text.contains("fix in C: "), c, "{file}: {text}");
        assert_eq!(text.contains("fix in Rust: "), rust, "{file}: {text}");
    }
}

/// Of a program that the verifier rejects, so much that no error is there.
const CUT: &str = "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n1: (bf) r2 = r10\n";

#[test]
fn a_log_that_was_cut_is_said_to_be_cut() {
    let log = format!("libbpf: prog 'count': BPF program load failed: -EACCES\n{CUT}");
    for format in [ReportFormat::Text, ReportFormat::Rustc, ReportFormat::Sarif] {
        let text = report(&log, format).replace("\n  ", " ");
        for told in [
            "the log is cut, and its error with it",
            "The end of the log is missing. ",
            "The error number is EACCES: ",
            "To get the whole log: libbpf prints ",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
        assert!(!report(LOG, format).contains("To get the whole log"));
    }
}

/// The verifier may have given up for another reason: each form says so.
#[test]
fn a_class_that_is_only_likely_is_said_to_be() {
    let log = format!("libbpf: prog 'count': BPF program load failed: -E2BIG\n{CUT}");
    for (format, said) in [
        (
            ReportFormat::Text,
            "(this class is likely, but not certain: ",
        ),
        (
            ReportFormat::Rustc,
            "this class is likely, but not certain: ",
        ),
        (
            ReportFormat::Sarif,
            "this class is likely, but not certain: ",
        ),
        (
            ReportFormat::Github,
            "complexity-insns%3A likely%3A checking",
        ),
    ] {
        let text = report(&log, format);
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// The rule's help does not say it.
#[test]
fn a_fix_that_is_not_the_rules_is_in_the_result() {
    let log = "0: R1=ctx() R10=fp0\n0: (b7) r3 = 8\n1: (7b) *(u64 *)(r3 +0) = r1\n\
        R3 invalid mem access 'scalar'\nprocessed 2 insns (limit 1000000)\n";
    let sarif: Value = serde_json::from_str(&report(log, ReportFormat::Sarif)).unwrap();
    let result = &sarif["runs"][0]["results"][0]["message"]["text"];
    let text = result.as_str().unwrap();
    assert!(
        text.contains("\nfix: The instruction writes to memory"),
        "{text}"
    );
}

#[test]
fn without_an_error_number_a_cut_log_is_no_rejection_yet() {
    let text = report(CUT, ReportFormat::Text);
    assert!(
        text.starts_with("no rejection in this part of the log: "),
        "{text}"
    );
    // Nothing tells which loader it is.
    for name in [
        "aya",
        "libbpf-rs",
        "libbpf",
        "cilium/ebpf",
        "bpftrace",
        "tc and ip",
    ] {
        assert!(text.contains(&format!("\n  - {name}: ")), "{text}");
    }
}

#[test]
fn a_class_that_is_a_guess_is_called_one() {
    let log = format!(
        "Error: the BPF_PROG_LOAD syscall returned Argument list too long \
        (os error 7). Verifier output: {CUT}"
    );
    let text = report(&log, ReportFormat::Text);
    assert!(
        text.contains("\nclass         complexity-insns: "),
        "{text}"
    );
    assert!(
        text.contains("(this class is likely, but not certain: "),
        "{text}"
    );
    assert!(report(&log, ReportFormat::Rustc).contains("this class is likely, but not certain"));
    assert!(!report(LOG, ReportFormat::Text).contains("not certain"));
}

/// The kernel's own report is an answer, also where this library has none.
#[test]
fn a_report_of_the_kernel_is_never_no_rejection() {
    let log = "0: R1=ctx() R10=fp0\n0: (b7) r0 = 0\n\
        Verification failed: Phase Of Moon: Wrong phase\n\nReason:\n  The moon is new.\n\
        Suggestion:\n  Wait for two weeks.\n";
    for format in ReportFormat::ALL {
        let text = report(log, *format);
        assert!(!text.contains("no rejection"), "{format:?}: {text}");
        assert!(text.contains("Wait for two weeks."), "{format:?}: {text}");
    }
    let text = report(log, ReportFormat::Text);
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with("Phase Of Moon: Wrong phase"),
        "{text}"
    );
}

#[test]
fn help_tells_each_field_of_a_program() {
    let log = fs::read_to_string("tests/logs/index-7.3.log").unwrap();
    let json: Value = serde_json::from_str(&report(&log, ReportFormat::Json)).unwrap();
    assert_eq!(json["version"], 1);
    let mut fields = Vec::new();
    collect_fields(&json["programs"][0], 4, &mut fields);
    let mut told: Vec<String> = PROGRAM_FIELDS.lines().filter_map(field_of_line).collect();
    fields.sort();
    told.sort();
    assert_eq!(fields, told);
}

/// Each field's name, after as many spaces as in the help.
fn collect_fields(value: &Value, depth: usize, fields: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            // All have the same fields.
            if let Some(first) = values.first() {
                collect_fields(first, depth, fields);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                fields.push(format!("{:depth$}{name}", ""));
                collect_fields(value, depth + 2, fields);
            }
        }
        _ => {}
    }
}

/// A line with more spaces goes on with the text above it.
fn field_of_line(line: &str) -> Option<String> {
    let name = line.trim_start();
    let indent = line.len() - name.len();
    let name = name.split("  ").next().unwrap();
    (indent < 10).then(|| format!("{:indent$}{name}", ""))
}

/// What the caller knows comes into the text.
struct Hooks;

impl ReportContext for Hooks {
    fn program_text(&self, index: usize, program: &ExplainedProgram) -> Option<String> {
        Some(format!("\nprogram {index} is {:?}\n", program.name))
    }

    fn class_text(&self, class: bpf_verifier_log::Class) -> Option<String> {
        Some(format!("\nmore about {}\n", class.slug()))
    }
}

#[test]
fn a_caller_adds_what_it_knows() {
    let explanation = explain_log(LOG.as_bytes());
    let text = format_report(&explanation, ReportFormat::Text, &Hooks);
    assert!(
        text.contains("\nprogram 0 is Some(\"count\")\n\nwhat the verifier knew\n"),
        "{text}"
    );
    assert!(text.ends_with("\nmore about uninit-reg\n"), "{text}");
}

/// The place in the source that a tree finds for the log above.
fn place_in(tree: &Path) -> SourcePlace {
    let explanation = explain_log(LOG.as_bytes());
    let tree = SourceTree::new(tree);
    tree.find_place(0, &explanation.programs[0]).unwrap()
}

const SOURCE: &str = "int count()\n{\n\treturn *value;\n}\n";

#[test]
fn the_file_with_the_same_line_is_the_one() {
    let tree = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("a/count.bpf.c", "int other()\n{\n\treturn 0;\n}\n"),
        ("b/src/count.bpf.c", SOURCE),
        ("target/count.bpf.c", SOURCE),
        (".hidden/count.bpf.c", SOURCE),
        ("count.bpf.txt", SOURCE),
    ] {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let place = place_in(tree.path());
    let path = tree.path().join("b/src/count.bpf.c");
    assert_eq!(Path::new(&place.file), path);
    assert_eq!((place.line, place.text.as_str()), (3, "\treturn *value;"));
    // Its columns begin where the code does.
    let explanation = explain_log(LOG.as_bytes());
    let tree = SourceTree::new(tree.path());
    let line = format_report(&explanation, ReportFormat::Rustc, &tree);
    let span = &rustc_lines(&line)[0]["spans"][0];
    assert_eq!(
        (&span["column_start"], &span["column_end"]),
        (&2.into(), &16.into())
    );
}

/// Nothing is guessed, and nothing of a file gets out that the log does not have.
#[test]
fn a_file_that_is_not_surely_the_one_is_not_named() {
    let tree = tempfile::tempdir().unwrap();
    let as_in_log = SourcePlace::new("count.bpf.c", 3, "return *value;");
    assert_eq!(place_in(tree.path()), as_in_log);
    fs::write(
        tree.path().join("count.bpf.c"),
        SOURCE.replace("value", "other"),
    )
    .unwrap();
    assert_eq!(place_in(tree.path()), as_in_log);
    for directory in ["a", "b"] {
        fs::create_dir(tree.path().join(directory)).unwrap();
        fs::write(tree.path().join(directory).join("count.bpf.c"), SOURCE).unwrap();
    }
    assert_eq!(place_in(tree.path()), as_in_log);
}

/// The file itself would be found: that is the first of these tests.
#[test]
fn no_link_is_followed() {
    let tree = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("count.bpf.c"), SOURCE).unwrap();
    std::os::unix::fs::symlink(
        elsewhere.path().join("count.bpf.c"),
        tree.path().join("count.bpf.c"),
    )
    .unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), tree.path().join("linked")).unwrap();
    assert_eq!(place_in(tree.path()).file, "count.bpf.c");
}
