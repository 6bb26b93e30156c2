//! What verification of a program cost, as a table for people.

use bpf_verifier_log::{LogShare, ProgramCost};

use crate::output::indent::wrap_text;

/// What is shown of each list.
const MOST_ROWS: usize = 10;
/// A line of source is cut there.
const LONGEST_SOURCE: usize = 60;
/// The kernel gives up after so many.
const LIMIT: u64 = 1_000_000;

/// What the verifier says it processed, or at least what the log shows of it.
pub fn count_processed(program: &ProgramCost) -> u64 {
    program.processed.unwrap_or(0).max(program.shown)
}

pub fn program_as_text(program: &ProgramCost) -> String {
    let mut text = heading(program);
    text += &share_note(program.share);
    text += &lines(program);
    text += &functions(program);
    text += &loops(program);
    text += &forks(program);
    text += &obstacles(program);
    text + &advice(program)
}

fn heading(program: &ProgramCost) -> String {
    let name = program.name.as_deref().unwrap_or("a program");
    let insns = count_processed(program);
    // Without the kernel's sum, the log shows no more than a part.
    let at_least = program.processed.map_or("at least ", |_| "");
    let mut text = format!(
        "{name}: {at_least}{} instructions, {} of the limit of {}\n",
        count_as_text(insns),
        percentage(insns, LIMIT),
        count_as_text(LIMIT)
    );
    let paths = program.paths;
    text += &format!(
        "  paths     {} begun, {} ended at a state that had been seen, {} at exit\n",
        count_as_text(paths.begun),
        count_as_text(paths.pruned),
        count_as_text(paths.exited)
    );
    if let Some(states) = program.states {
        text += &format!(
            "  states    {} kept, at most {} at once, at most {} at one instruction\n",
            count_as_text(states.total),
            count_as_text(states.peak),
            count_as_text(states.most_at_one)
        );
    }
    if let Some(processed) = program.processed {
        text += &format!(
            "  the log   shows {} of the {} instructions ({})\n",
            count_as_text(program.shown),
            count_as_text(processed),
            percentage(program.shown, processed)
        );
    }
    text
}

fn share_note(share: LogShare) -> String {
    let note = match share {
        LogShare::Whole => return String::new(),
        LogShare::BeginningMissing => {
            "the beginning of the log is missing, because it did not fit into the loader's buffer: \
             what follows is about its end"
        }
        LogShare::EndMissing => {
            "the end of the log is missing: what follows is about its beginning. A larger buffer \
             has it all: bpf_program__set_log_buf(), --log-size of veristat, LogSizeStart of \
             ebpf-go"
        }
        LogShare::LastPath => {
            "this is a log of level 1, which has the last path only. All of it is in one of level \
             2: kernel_log_level of libbpf, set_log_level(2) of libbpf-rs, \
             VerifierLogLevel::VERBOSE of aya, LogLevelInstruction of ebpf-go, veristat -v -l2"
        }
        // `Part`, and whatever else is not all of it.
        _ => "a part of the log is missing: what follows is about the rest",
    };
    wrap_text(note, "  note      ", "            ")
}

/// What the columns of the lines are.
const COLUMNS: &str = "  \
  (insns: instructions of the line, each time that the verifier walked them; visits: how often it
  came to the line; states: with how many different states)
";

/// A row per line of source.
fn lines(program: &ProgramCost) -> String {
    if program.lines.is_empty() {
        return "\nthe log has no lines of source: compile with -g, and keep BTF\n".to_owned();
    }
    let mut text = format!(
        "\nlines that cost most\n{COLUMNS}  {:>9} {:>7} {:>9} {:>9}\n",
        "insns", "share", "visits", "states"
    );
    for line in program.lines.iter().take(MOST_ROWS) {
        let number = line
            .advice
            .map(|it| format!("   ({})", it.saturating_add(1)));
        text += &format!(
            "  {:>9} {:>7} {:>9} {:>9}  {}{}\n",
            count_as_text(line.insns),
            percentage(line.insns, program.shown),
            count_as_text(line.visits),
            count_as_text(line.states),
            source_as_text(line.file.as_deref(), line.line, &line.text),
            number.unwrap_or_default()
        );
    }
    let left = program.lines.len().saturating_sub(MOST_ROWS);
    if left > 0 {
        text += &format!("  and {left} more lines\n");
    }
    text
}

fn functions(program: &ProgramCost) -> String {
    if program.functions.len() < 2 {
        return String::new();
    }
    let mut text = "\nfunctions\n".to_owned();
    for function in program.functions.iter().take(MOST_ROWS) {
        let name = match (&function.name, function.first_pc) {
            (Some(name), _) => name.clone(),
            (None, 0) => "the program".to_owned(),
            (None, pc) => format!("at instruction {pc}"),
        };
        let how = match (function.is_global, function.calls) {
            (true, _) => ", global: walked once".to_owned(),
            (false, 0) => String::new(),
            (false, 1) => ", called once".to_owned(),
            (false, calls) => format!(", walked at each of {calls} calls"),
        };
        text += &format!(
            "  {:>9} {:>7}  {name}{how}\n",
            count_as_text(function.insns),
            percentage(function.insns, program.shown)
        );
    }
    text
}

fn loops(program: &ProgramCost) -> String {
    let mut text = String::new();
    for it in program.loops.iter().take(MOST_ROWS) {
        if text.is_empty() {
            text += "\nloops\n";
        }
        text += &format!(
            "  {:>9} {:>7}  instructions {} to {}, {} rounds: {}\n",
            count_as_text(it.insns),
            percentage(it.insns, program.shown),
            it.first_pc,
            it.last_pc,
            count_as_text(it.rounds),
            source_as_text(it.file.as_deref(), it.line, &it.text)
        );
    }
    text
}

fn forks(program: &ProgramCost) -> String {
    const MOST_FORKS: usize = 5;
    let mut text = String::new();
    for fork in program.forks.iter().take(MOST_FORKS) {
        if text.is_empty() {
            text += "\nwhere paths part\n";
        }
        text += &format!(
            "  {:>9} {} at instruction {}: {}   {}\n",
            count_as_text(fork.paths),
            if fork.paths == 1 { "time" } else { "times" },
            fork.pc,
            fork.insn,
            source_as_text(fork.file.as_deref(), fork.line, &fork.text)
        );
    }
    text
}

fn obstacles(program: &ProgramCost) -> String {
    const MOST_OBSTACLES: usize = 5;
    let mut text = String::new();
    for it in program.obstacles.iter().take(MOST_OBSTACLES) {
        if text.is_empty() {
            text += "\nwhat keeps paths apart where they meet\n";
        }
        let values = match (it.least, it.greatest) {
            (Some(least), Some(greatest)) => format!(" ({least} to {greatest})"),
            _ => String::new(),
        };
        text += &format!(
            "  {:>9} of {} times {}{values} at instruction {}\n",
            count_as_text(it.differs),
            count_as_text(it.arrivals),
            it.name,
            it.pc
        );
        if !it.set_by.is_empty() {
            text += &format!("{:12}set by   {}\n", "", it.set_by.join("; "));
        }
        if let Some(needed) = &it.needed_by {
            text += &format!("{:12}needed exactly by   {needed}\n", "");
        }
    }
    text
}

fn advice(program: &ProgramCost) -> String {
    let mut text = String::new();
    for (index, it) in program.advice.iter().enumerate() {
        if text.is_empty() {
            text += "\nwhat would make it cheaper\n";
        }
        let first = format!("  ({}) ", index + 1);
        let observed = format!("{} instructions: {}", count_as_text(it.insns), it.observed);
        text += &wrap_text(&observed, &first, "      ");
        text += &wrap_text(&format!("do: {}", it.instead), "      ", "      ");
    }
    text
}

/// `prog.c:12  total += value;`
pub fn source_as_text(file: Option<&str>, line: Option<u32>, text: &str) -> String {
    let mut cut: String = text.chars().take(LONGEST_SOURCE).collect();
    if cut.len() < text.len() {
        cut += "…";
    }
    match (file, line) {
        (Some(file), Some(line)) => format!("{file}:{line}  {cut}"),
        _ => cut,
    }
}

/// 1,234,567
pub fn count_as_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn percentage(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        let texts = [0, 12, 999, 1000, 1_234_567].map(count_as_text);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!(
            (percentage(1, 3), percentage(1, 0)),
            ("33.3 %".into(), "-".into())
        );
    }
}
