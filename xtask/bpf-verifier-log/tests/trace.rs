//! Step by step through the logs that the gallery recorded on all kernels.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use bpf_verifier_log::{
    Class, ExplainedProgram, KnownValue, LogTrace, LogVerdict, TraceStep, explain_log,
};

const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

/// The failing programs of the gallery with their logs: `map-value-bounds · c · fail`, log.
fn recorded(kernel: &str) -> Vec<(String, String)> {
    // Tests run in the directory of their package.
    let directory = Path::new("../../lessons/07-verifier-pitfalls/logs");
    let text = fs::read_to_string(directory.join(format!("{kernel}.snap"))).unwrap();
    let sections = text
        .split("\n=== ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'));
    let logs = sections.map(|(title, log)| (title.to_owned(), log.to_owned()));
    logs.filter(|(title, log)| title.ends_with("fail") && log.starts_with("rejected"))
        .collect()
}

fn with_trace(log: &str) -> (ExplainedProgram, LogTrace) {
    let program = explain_log(log.as_bytes()).programs.remove(0);
    let trace = program.trace(log.as_bytes());
    (program, trace)
}

fn traced(kernel: &str, title: &str) -> LogTrace {
    let log = recorded(kernel)
        .into_iter()
        .find(|(name, _)| name == title)
        .unwrap()
        .1;
    with_trace(&log).1
}

fn as_text(trace: &LogTrace) -> String {
    let mut text = String::new();
    for (at, shown) in trace.steps.iter().enumerate() {
        let mark = if trace.decisive == Some(at) {
            "=>"
        } else {
            "  "
        };
        write_step(&mut text, shown, mark);
    }
    text
}

fn write_step(text: &mut String, shown: &TraceStep, mark: &str) {
    let path = if shown.on_path { "*" } else { " " };
    let meaning = shown.meaning.as_deref().unwrap_or("-");
    writeln!(
        text,
        "{mark}{path} {}: {}   ({meaning})",
        shown.step.insn.pc, shown.step.insn.text
    )
    .unwrap();
    if let Some(source) = &shown.step.source {
        writeln!(
            text,
            "       line {}: {} {:?} {:?}",
            shown.step.line, source.text, source.file, source.line
        )
        .unwrap();
    }
    for KnownValue {
        name,
        value,
        words,
        changed,
        ..
    } in &shown.known
    {
        let mark = if *changed { "!" } else { " " };
        writeln!(
            text,
            "     {mark} {name}: {words} [{}]",
            value.as_deref().unwrap_or("-")
        )
        .unwrap();
    }
    if !shown.lost.is_empty() {
        writeln!(text, "       lost: {}", shown.lost.join(" ")).unwrap();
    }
}

#[test]
fn an_index_on_every_kernel() {
    for kernel in KERNELS {
        let trace = traced(kernel, "map-value-bounds · c · fail");
        insta::assert_snapshot!(format!("index-{kernel}"), as_text(&trace));
    }
}

#[test]
fn a_function_of_the_program_has_registers_of_its_own() {
    insta::assert_snapshot!(as_text(&traced("6.12", "callbacks · c · fail")));
}

#[test]
fn every_recorded_rejection_at_an_instruction_can_be_stepped_through() {
    for kernel in KERNELS {
        let mut count = 0;
        for (title, log) in recorded(kernel) {
            let (program, trace) = with_trace(&log);
            // Without steps, the report names it.
            let insn = program
                .insn
                .as_ref()
                .filter(|insn| !trace.steps.is_empty() && !insn.text.is_empty());
            let Some(insn) = insn else { continue };
            let decisive = &trace.steps[trace.decisive.unwrap()];
            assert_eq!(
                (&decisive.step.insn, decisive.on_path),
                (insn, true),
                "{kernel} {title}"
            );
            count += 1;
        }
        assert!(count > 60, "{kernel}: {count} logs");
    }
}

#[test]
fn where_the_log_shows_a_value_behind_an_instruction_so_do_the_steps() {
    for kernel in KERNELS {
        for (title, log) in recorded(kernel) {
            let trace = with_trace(&log).1;
            for known in trace.steps.iter().flat_map(|shown| &shown.known) {
                let value = known.value.as_deref().unwrap_or_default();
                // Constants, and where the stack pointer leads to, follow from the instructions.
                let number = value.strip_prefix("fp").unwrap_or(value);
                let is_own = number.parse::<i64>().is_ok() || log.contains(value);
                assert!(is_own, "{kernel} {title}: {known:?} is not of this log");
            }
        }
    }
}

#[test]
fn a_long_log_is_shown_around_its_end() {
    let mut log = String::from("0: R1=ctx() R10=fp0\n");
    for at in 0..30_000 {
        writeln!(
            log,
            "{at}: (07) r2 += 1                       ; R2=scalar(id={at})"
        )
        .unwrap();
    }
    log += "30000: (bf) r0 = r3\nR3 !read_ok\nprocessed 30001 insns (limit 1000000)\n";
    let (program, trace) = with_trace(&log);
    assert_eq!(program.verdict, LogVerdict::Explained);
    assert_eq!(trace.steps.len(), bpf_verifier_log::MOST_STEPS);
    assert_eq!(trace.decisive, Some(bpf_verifier_log::MOST_STEPS - 1));
    assert_eq!(trace.left_out_before, 30_001 - bpf_verifier_log::MOST_STEPS);
    assert_eq!(trace.left_out_after, 0);
}

#[test]
fn what_has_no_instructions_has_no_steps() {
    let (program, trace) = with_trace("BPF program is too large. Processed 1000001 insn\n");
    assert_eq!(program.class, Some(Class::ComplexityInsns));
    assert!(trace.steps.is_empty() && trace.decisive.is_none());
}
