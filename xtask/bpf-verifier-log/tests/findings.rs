//! What a finding states is in the log, at the place that it names.
//!
//! Each sentence is read here again, with code that has nothing to do with the code that made it:
//! the instructions, registers and numbers in it are looked up in the raw text. The logs are those
//! of the gallery, of `tests/logs` and of `tests/inputs`, and changed forms of them: cut, with
//! lines left out, quoted, with other line ends, colours, numbers of instructions and registers. To
//! leave out lines more often, and to read what is found in other logs:
//!
//! ```text
//! FINDINGS_ROUNDS=200 cargo test -p bpf-verifier-log --test findings missing
//! FINDINGS_OF=PATH cargo test -p bpf-verifier-log --test findings -- --ignored --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use bpf_verifier_log::{ExplainedProgram, FindingFact, Insn, explain_log};
use fastrand::Rng;

/// Logs with a title each, as they were recorded.
fn recorded_logs() -> Vec<(String, String)> {
    let mut logs = Vec::new();
    // Tests run in the directory of their package.
    for kernel in ["5.10", "6.1", "6.12", "6.18", "7.3"] {
        let path = format!("../../lessons/07-verifier-pitfalls/logs/{kernel}.snap");
        let recorded = fs::read_to_string(path).unwrap();
        for section in recorded.split("\n=== ").skip(1) {
            let (title, log) = section.split_once('\n').unwrap();
            if log.starts_with("rejected: ") {
                logs.push((format!("{kernel} {title}"), log.to_owned()));
            }
        }
    }
    for directory in ["tests/logs", "tests/inputs"] {
        let Ok(entries) = fs::read_dir(Path::new(directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            // Some are not UTF-8 on purpose, and this file reads no other encoding.
            if let Ok(log) = fs::read_to_string(&path)
                && !log.contains('\0')
            {
                // A log in one line has the lines of its string.
                let log = log.replace("\\\\n", "\n").replace("\\n", "\n");
                logs.push((path.display().to_string(), log));
            }
        }
    }
    logs.sort();
    logs
}

/// The programs in a log that something is said of.
fn explain(log: &str) -> Vec<ExplainedProgram> {
    let mut programs = explain_log(log.as_bytes()).programs;
    programs.retain(|program| program.insn.is_some() || !program.finding.known.is_empty());
    programs
}

/// Everything that a reader is told, sentence by sentence.
fn sentences(program: &ExplainedProgram) -> Vec<String> {
    let mut sentences = program.finding.known.clone();
    sentences.extend(program.finding.missing.clone());
    sentences
}

/// `12` and `r1 = r2 ; R1=scalar()` of a line, whatever is in front of it.
fn find_insn(line: &str) -> Option<(u32, &str)> {
    for (at, _) in line.match_indices(": (") {
        let before = &line[..at];
        let start = before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let rest = &line[at + 3..];
        if let Ok(pc) = before[start..].parse()
            && rest.get(2..4) == Some(") ")
            && !before.ends_with("before ")
            && !before[..start].ends_with("before ")
        {
            return Some((pc, &rest[4..]));
        }
    }
    None
}

/// Whether a line shows an instruction: of the log, of the report of Linux 7.3, or one that libbpf
/// has replaced.
fn shows_insn(line: &str, insn: &Insn) -> bool {
    // One without a text is named by a message alone.
    if insn.text.is_empty() {
        let named = format!(" insn {}", insn.pc);
        let rest = line.split_once(&named).map(|(_, rest)| rest);
        return rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()));
    }
    let replaced = format!("{}: {}", insn.pc, insn.text);
    let reported = format!("{} | ({:02x}) {}", insn.pc, insn.opcode, insn.text);
    line.ends_with(&replaced)
        || line.ends_with(&reported)
        || find_insn(line).is_some_and(|(pc, rest)| pc == insn.pc && rest.starts_with(&insn.text))
}

/// The numbers after each `instruction ` of a sentence, with what follows.
fn named_insns(sentence: &str) -> Vec<(u32, &str)> {
    let mut named = Vec::new();
    for (at, word) in sentence.match_indices("instruction ") {
        let rest = &sentence[at + word.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if let Ok(pc) = rest[..digits].parse() {
            named.push((pc, rest[digits..].strip_prefix(": ").unwrap_or_default()));
        }
    }
    named
}

/// Whether a text that names an instruction begins as one of these lines goes on.
fn is_text_of(named: &str, line: &str) -> bool {
    let length = line.find([';', '\r', '\u{1b}']).unwrap_or(line.len());
    let text = line[..length].trim_end();
    // A jump's line may go on with the state at its goal.
    named.starts_with(text)
        || text.starts_with(named.split(['.', ',', '[', ':']).next().unwrap().trim_end())
}

/// Checks all that is said of a program against the lines of the text.
fn check_program(program: &ExplainedProgram, text: &str, title: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let fail = |what: &str| panic!("{title}: {what}\n{program:#?}\n{text}");
    if let Some(insn) = &program.insn
        && !lines.iter().any(|line| shows_insn(line, insn))
    {
        fail("the refused instruction is no line of the log");
    }
    if let Some(source) = &program.source {
        let is_there = |line: &&str| line.contains(&source.text);
        if !lines.iter().any(is_there) {
            fail("the source line is no line of the log");
        }
    }
    for sentence in sentences(program) {
        for (pc, named) in named_insns(&sentence) {
            let shows = |line: &&str| {
                find_insn(line).is_some_and(|(at, rest)| at == pc && is_text_of(named, rest))
            };
            if !lines.iter().any(shows) {
                fail(&format!("no line has the instruction of: {sentence}"));
            }
        }
    }
    for fact in &program.finding.facts {
        let line = lines.get(fact.line - 1).copied().unwrap_or_default();
        if !shows_fact(line, fact) {
            fail(&format!("{fact:?} is not in its line: {line}"));
        }
    }
}

fn shows_fact(line: &str, fact: &FindingFact) -> bool {
    let text = &fact.text;
    let insn = find_insn(line);
    if fact.register.is_none() {
        return insn.is_some_and(|(pc, rest)| pc == fact.pc && rest.starts_with(text));
    }
    // Constants and addresses on the stack may come out of an instruction.
    let is_set = insn.is_some_and(|(_, rest)| {
        rest.contains(&format!(" = {text}"))
            || rest.contains("= r10")
            || (text.starts_with("fp") && rest.contains(" += "))
            || text.parse::<i64>().is_ok()
    });
    is_set || line.contains(&format!("={text}")) || line.contains(&format!("=P{text}"))
}

#[test]
fn what_is_stated_is_in_the_log() {
    let (mut programs, mut facts) = (0, 0);
    for (title, log) in recorded_logs() {
        for program in explain(&log) {
            check_program(&program, &log, &title);
            programs += 1;
            facts += program.finding.facts.len();
        }
    }
    assert!(
        programs > 300 && facts > 600,
        "{programs} programs, {facts} facts"
    );
}

/// The last line before `at` that shows a register, and the text of its value; `None` where
/// something in between may have changed it.
fn value_before<'a>(lines: &[&'a str], at: usize, register: u8) -> Option<&'a str> {
    let names = [format!("R{register}="), format!("R{register}_")];
    for (index, line) in lines[..at].iter().enumerate().rev() {
        if line.contains("before ") || line.starts_with("last_idx") || line.contains("parent ") {
            return None;
        }
        let insn = find_insn(line);
        // What is shown after an instruction is what it left, unless it is the value before.
        let shown = names.iter().find_map(|name| {
            let start = line.rfind(name.as_str())?;
            let value = line[start..].split_once('=')?.1;
            Some(&value[..measure_value(value)])
        });
        if let Some(shown) = shown {
            let is_old_access =
                insn.is_none() && !line.starts_with("from ") && line.starts_with(' ');
            return (!is_old_access || index + 1 < at).then_some(shown);
        }
        let Some((_, text)) = insn else {
            if line.contains("from ") || line.contains("caller") || line.contains("callee") {
                return None;
            }
            continue;
        };
        let target = [format!("r{register} "), format!("w{register} ")];
        if target.iter().any(|name| text.starts_with(name.as_str()))
            || text.starts_with("call ")
            || text.starts_with("if ")
            || text.starts_with("exit")
            || text.contains("skb[")
        {
            return None;
        }
    }
    None
}

/// How long a value is: up to a blank outside of parentheses.
fn measure_value(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// The limits that a value's text has for a number: `umax=255` or `umax_value=255`.
fn greatest(text: &str) -> Option<i128> {
    let mut greatest = None;
    for name in ["smax_value=", "umax_value=", "smax=", "umax="] {
        if let Some(at) = text.find(name) {
            let rest = &text[at + name.len()..];
            let rest = &rest[..rest.find([',', ')']).unwrap_or(rest.len())];
            // `smax=umax=255`
            let rest = rest.rsplit('=').next().unwrap();
            let number = match rest.strip_prefix("0x") {
                Some(hex) => i128::from_str_radix(hex, 16).ok()?,
                None => rest.parse().ok()?,
            };
            greatest = Some(greatest.map_or(number, |other: i128| other.min(number)));
        }
    }
    greatest
}

/// `255` of `a number between 0 and 255`.
fn stated_greatest(sentence: &str) -> Option<i128> {
    let (_, range) = sentence.split_once("a number between ")?;
    let (_, most) = range.split_once(" and ")?;
    let most = most.trim_end_matches('.');
    match most.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => most.parse().ok(),
    }
}

#[test]
fn what_a_register_holds_is_what_was_printed_last() {
    let (mut found, mut ranges) = (0, 0);
    for (title, log) in recorded_logs() {
        let lines: Vec<&str> = log.lines().collect();
        for program in explain(&log) {
            let (Some(insn), Some(register)) = (&program.insn, program.register) else {
                continue;
            };
            let refused = lines.iter().rposition(|line| {
                find_insn(line)
                    .is_some_and(|(pc, rest)| pc == insn.pc && rest.starts_with(&insn.text))
            });
            let Some(refused) = refused else {
                assert!(lines.iter().any(|line| shows_insn(line, insn)), "{log}");
                continue;
            };
            let Some(printed) = value_before(&lines, refused, register) else {
                continue;
            };
            let start = format!("R{register} is ");
            let said = program
                .finding
                .known
                .iter()
                .find(|known| known.starts_with(&start));
            let Some(said) = said else { continue };
            found += 1;
            let facts = program.finding.facts.iter();
            let stated: Vec<_> = facts
                .filter(|fact| fact.register == Some(register) && fact.pc == insn.pc)
                .map(|fact| fact.text.as_str())
                .collect();
            let printed = printed.strip_prefix('P').unwrap_or(printed);
            assert!(
                stated.contains(&printed),
                "{title}: {said} {stated:?}, but {printed}"
            );
            if let Some(most) = stated_greatest(said) {
                assert_eq!(Some(most), greatest(printed), "{title}: {said}: {printed}");
                ranges += 1;
            }
        }
    }
    assert!(found > 60 && ranges > 12, "{found} values, {ranges} ranges");
}

/// A text that says the same in another form.
struct ChangedForm {
    name: &'static str,
    change: fn(&str) -> String,
}

const SAME_MEANING: [ChangedForm; 5] = [
    ChangedForm {
        name: "CRLF",
        change: |log| log.replace('\n', "\r\n"),
    },
    ChangedForm {
        name: "libbpf",
        change: |log| prefix_lines(log, "libbpf: "),
    },
    ChangedForm {
        name: "journald",
        change: |log| prefix_lines(log, "Dec 01 12:00:00 host agent[12]: "),
    },
    ChangedForm {
        name: "colours",
        change: |log| prefix_lines(log, "\u{1b}[31m").replace('\n', "\u{1b}[0m\n"),
    },
    ChangedForm {
        name: "JSON",
        change: |log| format!("{{\"log\":{log:?}}}\n"),
    },
];

fn prefix_lines(log: &str, prefix: &str) -> String {
    log.lines()
        .map(|line| format!("{prefix}{line}\n"))
        .collect()
}

#[test]
fn another_form_changes_no_sentence() {
    for (title, log) in recorded_logs() {
        // A source line with a string in it is not quoted the same way again.
        if title.starts_with("tests/inputs") || log.contains('\\') || log.contains("\u{fffd}") {
            continue;
        }
        let Some(expected) = explain(&log).into_iter().next() else {
            continue;
        };
        for form in &SAME_MEANING {
            let changed = (form.change)(&log);
            let Some(program) = explain(&changed).into_iter().next() else {
                panic!("{title}, {}: nothing is found", form.name);
            };
            assert_eq!(program.insn, expected.insn, "{title}, {}", form.name);
            assert_eq!(
                sentences(&program),
                sentences(&expected),
                "{title}, {}",
                form.name
            );
        }
    }
}

/// R6 to R9 of a log, or of a sentence, in other places.
fn rename_registers(text: &str) -> String {
    let mut renamed = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (at, letter) in text.char_indices() {
        let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        let after = bytes.get(at + 1).copied().unwrap_or(b' ');
        let is_register = matches!(before, b'r' | b'w' | b'R')
            && !(at >= 2 && bytes[at - 2].is_ascii_alphanumeric())
            && !after.is_ascii_alphanumeric();
        renamed.push(match letter {
            '6' if is_register => '8',
            '7' if is_register => '9',
            '8' if is_register => '6',
            '9' if is_register => '7',
            other => other,
        });
    }
    renamed
}

#[test]
fn other_registers_change_only_their_names() {
    let mut renamed = 0;
    for (title, log) in recorded_logs() {
        let changed = rename_registers(&log);
        let (before, after) = (explain(&log), explain(&changed));
        assert_eq!(before.len(), after.len(), "{title}");
        for (before, after) in before.iter().zip(&after) {
            let mut expected = Vec::new();
            for sentence in sentences(before) {
                expected.push(rename_registers(&sentence));
            }
            assert_eq!(sentences(after), expected, "{title}");
            renamed += usize::from(sentences(before) != sentences(after));
        }
    }
    assert!(renamed > 60, "{renamed}");
}

/// Adds 1000 to the number of each instruction of a line.
fn shift_numbers(line: &str) -> String {
    let Some((pc, _)) = find_insn(line) else {
        return shift_place(line);
    };
    let (before, rest) = line.split_once(&format!("{pc}: (")).unwrap();
    let mut shifted = format!("{before}{}: ({rest}", pc + 1000);
    // `goto pc+3 15: R0=...`
    if let Some(at) = shifted.rfind(": R")
        && let start = shifted[..at]
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .len()
        && let Ok(pc) = shifted[start..at].parse::<u32>()
    {
        shifted.replace_range(start..at, &(pc + 1000).to_string());
    }
    shifted
}

fn shift_place(line: &str) -> String {
    let mut words = Vec::new();
    let is_place = line.starts_with("from ")
        || line.contains(" insn ")
        || line.contains("alloc_insn=")
        || line.contains("to caller at ");
    let is_state = line
        .split_once(": ")
        .is_some_and(|(pc, _)| pc.parse::<u32>().is_ok());
    for word in line.split(' ') {
        let digits = word.trim_end_matches(':').trim_start_matches("alloc_insn=");
        let follows = matches!(
            words.last().map(String::as_str),
            Some("from" | "to" | "at" | "insn")
        );
        let is_number = (is_place && (follows || word.starts_with("alloc_insn=")))
            || (is_state && words.is_empty());
        words.push(match digits.parse::<u32>() {
            Ok(pc) if is_number => word.replacen(digits, &(pc + 1000).to_string(), 1),
            _ => word.to_owned(),
        });
    }
    words.join(" ")
}

/// The same of a sentence.
fn shift_sentence(sentence: &str) -> String {
    let mut shifted = String::new();
    let mut rest = sentence;
    while let Some(at) = rest.find("instruction ") {
        let (before, after) = rest.split_at(at + "instruction ".len());
        shifted += before;
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if let Ok(pc) = after[..digits].parse::<u32>() {
            shifted += &(pc + 1000).to_string();
        }
        rest = &after[digits..];
    }
    shifted + rest
}

#[test]
fn other_instruction_numbers_change_only_the_numbers() {
    let mut shifted = 0;
    for (title, log) in recorded_logs() {
        // A log that begins at 0 is known to be whole.
        if title.starts_with("tests/inputs")
            || log.contains("func#")
            || log.contains("Verification failed")
        {
            continue;
        }
        let changed: String = log.lines().map(|line| shift_numbers(line) + "\n").collect();
        let (before, after) = (explain(&log), explain(&changed));
        for (before, after) in before.iter().zip(&after) {
            let pc = |program: &ExplainedProgram| program.insn.as_ref().map(|insn| insn.pc);
            assert_eq!(
                pc(before).map(|pc| pc + 1000),
                pc(after),
                "{title}\n{changed}"
            );
            let expected: Vec<_> = sentences(before)
                .iter()
                .map(|text| shift_sentence(text))
                .collect();
            for sentence in sentences(after) {
                assert!(
                    expected.contains(&sentence),
                    "{title}: {sentence}\n{expected:#?}\n{changed}"
                );
            }
            shifted += sentences(after).len();
        }
    }
    assert!(shifted > 600, "{shifted} sentences");
}

/// The instructions that a value of the reason came through, and those that are named.
fn known_places(log: &str) -> BTreeSet<u32> {
    let mut places = BTreeSet::new();
    for program in explain(log) {
        let trace = program.trace(log.as_bytes());
        for shown in trace.steps.iter().filter(|shown| shown.on_path) {
            places.insert(shown.step.insn.pc);
        }
        for sentence in sentences(&program) {
            places.extend(named_insns(&sentence).iter().map(|(pc, _)| *pc));
        }
        places.extend(program.insn.iter().map(|insn| insn.pc));
    }
    places
}

/// Fewer lines may make an answer shorter, but name no other instruction and no other value.
fn check_shortened(title: &str, log: &str, shortened: &str) -> usize {
    let whole = explain(log);
    let places = known_places(log);
    let mut checked = 0;
    for program in explain(shortened) {
        check_program(&program, shortened, title);
        let same = whole.iter().find(|whole| {
            whole.messages.first().map(|line| &line.text)
                == program.messages.first().map(|line| &line.text)
        });
        let Some(same) = same else { continue };
        let insn = program.insn.as_ref().filter(|insn| !insn.text.is_empty());
        if let (Some(insn), Some(expected)) = (insn, &same.insn)
            && program.register.is_some()
            && insn != expected
        {
            // Where nothing tells them apart, the last line is taken for the refused one.
            let register = program.register.unwrap();
            let names = format!("r{register}");
            let may_be = insn.text.contains(&names)
                || insn.text.contains(&names.replace('r', "w"))
                || insn.text.starts_with("call")
                || insn.text == "exit"
                || insn.text.contains("skb[");
            assert!(may_be, "{title}: {insn:?} cannot be refused\n{shortened}");
            continue;
        }
        let expected = sentences(same);
        for sentence in sentences(&program) {
            for (pc, _) in named_insns(&sentence) {
                assert!(
                    places.contains(&pc),
                    "{title}: {sentence}\n{expected:#?}\n{shortened}"
                );
            }
            let is_value = sentence.starts_with('R') && sentence.contains(" is ");
            if is_value {
                assert!(
                    expected.contains(&sentence),
                    "{title}: {sentence}\n{expected:#?}\n{shortened}"
                );
            }
            checked += 1;
        }
    }
    checked
}

#[test]
fn a_log_with_missing_lines_gets_no_wrong_answer() {
    let mut rng = Rng::with_seed(18);
    let rounds = env::var("FINDINGS_ROUNDS").map_or(6, |rounds| rounds.parse().unwrap());
    let mut checked = 0;
    for (title, log) in recorded_logs() {
        let lines: Vec<&str> = log.lines().collect();
        for round in 0..rounds {
            let mut kept = lines.clone();
            let first = rng.usize(..lines.len());
            match round {
                0 => drop(kept.drain(..first)),
                1 => kept.truncate(first + 1),
                _ => {
                    let share = rng.usize(2..12);
                    kept.retain(|_| rng.usize(..share) != 0);
                }
            }
            let shortened = kept.join("\n") + "\n";
            checked += check_shortened(&format!("{title}, round {round}"), &log, &shortened);
        }
    }
    assert!(checked > 2000, "{checked} sentences");
}

#[test]
fn a_log_without_states_gets_no_wrong_answer() {
    let mut checked = 0;
    for (title, log) in recorded_logs() {
        let mut shortened = String::new();
        for line in log.lines() {
            let text = match find_insn(line) {
                Some(_) => line
                    .split("  ;")
                    .next()
                    .unwrap()
                    .split(" ; R")
                    .next()
                    .unwrap(),
                None if line.starts_with(" R") || line.contains(": R") => continue,
                None => line,
            };
            shortened += text;
            shortened += "\n";
        }
        checked += check_shortened(&title, &log, &shortened);
    }
    assert!(checked > 400, "{checked} sentences");
}

/// Prints all that is found, to be read next to the logs: of those above, or of a file, or of all
/// logs in the directory that FINDINGS_OF names.
#[test]
#[ignore = "prints some hundred logs for a reader"]
fn show_findings() {
    if let Some(path) = env::var_os("FINDINGS_OF") {
        for file in list_files(Path::new(&path)) {
            show_log(&file.display().to_string(), &fs::read(&file).unwrap());
        }
        return;
    }
    for (title, log) in recorded_logs() {
        show_log(&title, log.as_bytes());
    }
}

fn list_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|name| name == "txt" || name == "log")
    });
    files.sort();
    files
}

fn show_log(title: &str, log: &[u8]) {
    println!("##### {title}");
    for program in &explain_log(log).programs {
        println!("class: {:?}", program.class);
        for message in &program.messages {
            println!("message: {}", message.text);
        }
        if let Some(insn) = &program.insn {
            println!("insn: {}: {}", insn.pc, insn.text);
        }
        for known in &program.finding.known {
            println!("known: {known}");
        }
        if let Some(missing) = &program.finding.missing {
            println!("missing: {missing}");
        }
    }
}
