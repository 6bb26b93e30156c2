//! No input makes the library panic, and no text that it hands out could take over a terminal.
//!
//! The inputs are random bytes, and real logs that were cut, mixed, repeated, quoted, damaged, and
//! put into the forms that loaders and loggers give them. Each is read once in one piece and once
//! in pieces of random sizes, with the same answer.
//! Plain `cargo test` tries some thousands of them. As many as are asked for, and one of them again
//! by the seed that a failure prints:
//!
//! ```text
//! VERIFIER_LOG_FUZZ=10000000 cargo test -p bpf-verifier-log --test fuzz
//! VERIFIER_LOG_SEED=17 VERIFIER_LOG_FUZZ=1 cargo test -p bpf-verifier-log --test fuzz
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::env;
use std::fs;
use std::path::Path;

use bpf_verifier_log::{ExplainedProgram, Explanation, LogReader, explain_log};
use fastrand::Rng;

const SOME: u64 = 20_000;

#[test]
fn nothing_panics_and_nothing_is_left_that_a_terminal_would_obey() {
    let count = number("VERIFIER_LOG_FUZZ").unwrap_or(SOME);
    let first = number("VERIFIER_LOG_SEED").unwrap_or(1);
    let logs = real_logs();
    for seed in first..first + count {
        let mut rng = Rng::with_seed(seed);
        let input = input(&mut rng, &logs);
        // Printed only if what follows panics.
        let told = Told(seed);
        let explanation = explain_log(&input);
        check(&explanation, &input);
        check_pieces(&mut rng, &explanation, &input);
        std::mem::forget(told);
    }
}

/// Says how to come back to an input, if it made the library panic.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("again: VERIFIER_LOG_SEED={} VERIFIER_LOG_FUZZ=1", self.0);
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn real_logs() -> Vec<Vec<u8>> {
    // Tests run in the directory of their package.
    let in_directory = |directory| fs::read_dir(Path::new(directory)).unwrap();
    let entries = ["tests/logs", "tests/inputs"]
        .into_iter()
        .flat_map(in_directory);
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut logs: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    // Every message that is known is a log too.
    logs.push(include_bytes!("../src/grammar/kernel.templates").to_vec());
    logs.push(include_bytes!("../src/grammar/outside.templates").to_vec());
    logs
}

fn input(rng: &mut Rng, logs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match rng.u8(..8) {
        0 => random(rng),
        1 => words(rng),
        _ => spliced(rng, logs),
    };
    for _ in 0..rng.u8(..6) {
        damage(rng, &mut bytes);
    }
    wrapped(rng, bytes)
}

/// As a loader, a logger, an editor or a shell may hand it on.
fn wrapped(rng: &mut Rng, bytes: Vec<u8>) -> Vec<u8> {
    let text = || String::from_utf8_lossy(&bytes).into_owned();
    let with = |before: &str| [before.as_bytes(), &bytes].concat();
    match rng.u8(..24) {
        0..4 => quoted(&bytes),
        4 => with("Error: the BPF_PROG_LOAD syscall returned x (os error 7). Verifier output: "),
        5 => with("LoadError { io_error: Os { code: 22 }, verifier_log: "),
        6 => with("program a: load program: permission denied: "),
        7 => with("Verification failed: Memory Safety: Access outside bounds\n\nReason:\n  "),
        8 => with("magic: 0xeb9f\n[1] INT int size=4 "),
        9 => each_line(&text(), "agent-1  | ", ""),
        10 => each_line(&text(), "Apr 02 10:00:26 host agent[42]: ", ""),
        11 => each_line(&text(), "level=warning msg=\"", "\" subsys=loader"),
        12 => each_line(&text(), "{\"level\":\"info\",\"msg\":\"", "\"}"),
        13 => each_line(&text(), "", "\n"),
        14 => each_line(&text(), "", "\r"),
        15 => utf16(&text(), b"\xff\xfe", u16::to_le_bytes),
        16 => utf16(&text(), b"\xfe\xff", u16::to_be_bytes),
        17 => quoted(&quoted(&bytes)),
        18 => [&bytes[..], b" (truncated, 12 line(s) omitted)"].concat(),
        19 => [
            &bytes[..],
            b"\n\nCaused by:\n    Invalid argument (os error 22)\n",
        ]
        .concat(),
        _ => bytes,
    }
}

fn each_line(text: &str, before: &str, after: &str) -> Vec<u8> {
    let mut lines = String::new();
    for line in text.lines() {
        lines.extend([before, line, after, "\n"]);
    }
    lines.into_bytes()
}

fn utf16(text: &str, mark: &[u8], to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(to_bytes);
    mark.iter().copied().chain(units).collect()
}

fn random(rng: &mut Rng) -> Vec<u8> {
    (0..rng.usize(..400)).map(|_| rng.u8(..)).collect()
}

/// The letters that logs are made of, in any order.
fn words(rng: &mut Rng) -> Vec<u8> {
    const PIECES: [&str; 32] = [
        "R1",
        "=",
        "scalar(",
        "(",
        ")",
        ",",
        "umax=",
        "0x",
        "-",
        "9223372036854775808",
        ": (",
        "12",
        ") ",
        "r1",
        " = ",
        "*(u64 *)(r10 -8)",
        "\n",
        "\\n",
        "; ",
        "fp-8",
        "processed 1 insns ",
        "from 1 to 2: ",
        "var_off=(0x0; 0x",
        "invalid mem access '",
        "off=",
        " size=",
        "\u{1b}[",
        "é",
        "=3D",
        "// ",
        "invalid access to map value",
        " insns (limit 5)",
    ];
    let pieces: Vec<_> = (0..rng.usize(..60))
        .map(|_| PIECES[rng.usize(..PIECES.len())])
        .collect();
    pieces.concat().into_bytes()
}

/// Runs of lines of several logs.
fn spliced(rng: &mut Rng, logs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let log = &logs[rng.usize(..logs.len())];
        let start = rng.usize(..log.len());
        let length = rng.usize(..1200).min(log.len() - start);
        bytes.extend_from_slice(&log[start..start + length]);
    }
    bytes
}

fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.usize(..bytes.len());
    match rng.u8(..5) {
        0 => bytes[at] = rng.u8(..),
        1 => bytes.truncate(at),
        2 => {
            bytes.remove(at);
        }
        3 => bytes.insert(at, *b"\n\\\";:(=-0\x1b".get(rng.usize(..10)).unwrap()),
        // A number that no kernel prints.
        _ => {
            let digits = b"99999999999999999999";
            bytes.splice(at..at, digits[..rng.usize(..digits.len())].iter().copied());
        }
    }
}

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    format!("{{\"log\":{text:?}}}").into_bytes()
}

fn check_pieces(rng: &mut Rng, whole: &Explanation, input: &[u8]) {
    let mut reader = LogReader::new();
    let most = [1, 5, 50, 1000][rng.usize(..4)];
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.usize(..=most).min(rest.len()));
        reader.push(piece);
        rest = after;
    }
    assert_eq!(format!("{:?}", reader.finish()), format!("{whole:?}"));
}

fn check(report: &Explanation, input: &[u8]) {
    for program in &report.programs {
        let read = program.read_steps(input);
        let trace = program.trace(input);
        assert_eq!(trace.decisive.is_some(), read.decisive.is_some());
        let sources = read.steps.iter().filter_map(|step| step.source.as_ref());
        let texts = texts(program).into_iter();
        let texts = texts.chain(read.steps.iter().map(|step| step.insn.text.as_str()));
        for text in texts.chain(sources.map(|source| source.text.as_str())) {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

fn texts(program: &ExplainedProgram) -> Vec<&str> {
    let mut texts: Vec<&str> = program
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    texts.extend(program.name.as_deref());
    texts.extend(program.insn.as_ref().map(|insn| insn.text.as_str()));
    texts.extend(program.finding.known.iter().map(String::as_str));
    texts.extend(program.finding.missing.as_deref());
    if let Some(diagnosis) = &program.diagnosis {
        texts.extend([
            diagnosis.reason.as_str(),
            diagnosis.suggestion.as_str(),
            diagnosis.category.as_str(),
        ]);
    }
    texts
}
