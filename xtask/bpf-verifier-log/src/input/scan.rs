//! One pass over the whole input: which logs are in it, where each begins, and which lines may say
//! why it ends.
//!
//! ```text
//!   libbpf: prog 'x': BPF program load failed     name and errno of the program
//!   -- BEGIN PROG LOAD LOG --                      a log begins
//!   0: R1=ctx() R10=fp0                            (or begins here, without a heading)
//!   R1 type=ctx expected=fp                        not the end: instructions follow
//!   0: (bf) r6 = r1
//!   R2 !read_ok                                    the end: it comes after the last instruction
//!   processed 1 insns                              the log ends
//! ```
//!
//! Of an open log, the last lines that say what the verifier did are kept, and all lines after the
//! last instruction: a log of any size takes little memory.

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::grammar::needle::Needle;
use crate::grammar::table::{FoundMessage, MessageTable};
use crate::grammar::template::MessageRole;
use crate::input::blank_lines::BlankLines;
use crate::input::btf_log::{BtfLog, begins_btf_log, find_type};
use crate::input::heading::{LoaderHeading, find_error_number};
use crate::input::joined_error::{JoinedError, split_joined_error};
use crate::input::line::{LineKind, LogLine, is_plain_state, is_plainly_looking_back};
use crate::input::line_parts::split_line_parts;
use crate::input::lines::{InputLine, LinePlace};
use crate::input::loader::Loader;
use crate::input::payload::find_payload;
use crate::input::program_log::{MessageLine, ProgramLog};
use crate::input::step_lines::StepLines;
use crate::input::text::is_binary;
use crate::log::insn::find_plain_pc;
use crate::log::message::LogMessage;

/// Enough for the messages at the end of a log; more are a text that only looks like one.
const MOST_MESSAGES: usize = 64;
const MOST_OUTSIDE: usize = 4 * MOST_MESSAGES;
/// A report of Linux 7.3 has some dozens of lines.
const LONGEST_REPORT: usize = 400;

/// Takes the lines of a text one by one, and hands out the logs that are over.
#[derive(Debug, Default)]
pub struct LogScanner {
    /// Messages outside any log.
    outside: Vec<MessageLine>,
    open: Option<ProgramLog>,
    /// The log before: what a loader says after a log may still be about it.
    closed: Option<ProgramLog>,
    /// Nothing that comes can change these.
    settled: VecDeque<ProgramLog>,
    /// What the loader said last, for the log that comes next.
    heading: LoaderHeading,
    in_report: bool,
    /// What follows is why the loading failed, as Rust's errors list it.
    in_causes: bool,
    in_io_error: bool,
    branched: bool,
    blanks: BlankLines,
    /// This line, if it is one of the source outside of a log.
    source: Option<StepLines>,
    /// The same for the line above: a log may begin with it.
    source_above: Option<StepLines>,
}

impl LogScanner {
    pub fn take_line(&mut self, raw: &InputLine<'_>) {
        self.source_above = self.source.take();
        self.blanks.count_line(raw.bytes);
        let mut take = |part: &InputLine<'_>| self.take_part(part);
        split_line_parts(raw, &mut take);
    }

    fn take_part(&mut self, raw: &InputLine<'_>) {
        if self.take_plain(raw) {
            return;
        }
        match split_joined_error(raw) {
            Some(joined) => self.take_joined(&joined, raw),
            None => self.take_any(&LogLine::read_line(raw), raw),
        }
    }

    /// A log that nothing can change any more.
    pub fn pop_settled(&mut self) -> Option<ProgramLog> {
        self.settled.pop_front()
    }

    /// What the loader said last, if no log came after it.
    pub fn take_heading(&mut self) -> LoaderHeading {
        core::mem::take(&mut self.heading)
    }

    /// What was said outside of the logs. All logs are settled then.
    pub fn finish_scan(&mut self) -> Vec<MessageLine> {
        self.name_last_log();
        self.close_log();
        self.settled.extend(self.closed.take());
        core::mem::take(&mut self.outside)
    }

    /// Takes the lines that a log has most of, without reading them; false if it is another.
    fn take_plain(&mut self, raw: &InputLine<'_>) -> bool {
        if self.is_elsewhere() {
            return false;
        }
        if let Some(pc) = find_plain_pc(raw.bytes) {
            self.take_insn(pc, raw);
        } else if is_plain_state(raw.bytes) {
            self.take_state(false, raw);
        } else if raw.bytes.starts_with(b";") {
            self.take_source(raw);
        } else if is_plainly_looking_back(raw.bytes) {
            self.extend_log(raw);
        } else if raw.bytes.is_empty() || is_binary(raw.bytes) {
            self.take_blank();
        } else {
            return false;
        }
        true
    }

    /// Lines mean something else in a report, and in a log about types.
    fn is_elsewhere(&self) -> bool {
        let open = self.open.as_ref();
        self.in_report || open.is_some_and(|log| log.btf.is_some() && !log.is_over)
    }

    fn take_any(&mut self, line: &LogLine<'_>, raw: &InputLine<'_>) {
        if self.take_btf(line, raw) || self.take_gap(&line.text) {
            return;
        }
        match &line.kind {
            LineKind::Begin => self.begin_log(line, raw),
            LineKind::End => self.close_log(),
            LineKind::Summary {
                processed,
                exceeded,
                start,
            } => {
                self.take_before_summary(line, *start);
                self.take_summary(*processed);
                if let Some(log) = self.open.as_mut().filter(|_| *exceeded) {
                    log.exceeded = Some(LogMessage {
                        line: line.number,
                        text: line.text[*start..].to_owned(),
                    });
                }
            }
            LineKind::Report { start } => self.begin_report(line, *start),
            _ if self.in_report && !self.leaves_report(line) => self.take_report_line(line),
            LineKind::Insn { insn, rest } => {
                self.take_insn(insn.pc, raw);
                self.take_rest_of_insn(line, *rest);
            }
            LineKind::State { branch, .. } => self.take_state(branch.is_some(), raw),
            LineKind::Source { .. } => self.take_source(raw),
            LineKind::LookingBack => self.extend_log(raw),
            LineKind::Messages(found) => self.take_messages(line, found.clone(), raw),
            LineKind::Blank => self.take_blank(),
            LineKind::Other => self.take_other(line),
        }
    }

    fn begin_log(&mut self, line: &LogLine<'_>, raw: &InputLine<'_>) {
        self.close_log();
        self.heading.read_heading(&line.text);
        self.heading.begins_log = true;
        self.open_log(raw.place);
    }

    /// A loader's error with the beginning of the log, or with all that the loader tells of it.
    fn take_joined(&mut self, joined: &JoinedError<'_>, raw: &InputLine<'_>) {
        let log = LogLine::read_line(&joined.log);
        if joined.is_one_line && !is_sure_of_kernel(&log) {
            return self.take_any(&LogLine::read_line(raw), raw);
        }
        self.close_log();
        self.in_causes = false;
        let error = LogLine::read_line(&joined.error);
        self.heading.read_error(&error.text);
        if !joined.is_one_line {
            self.heading.loader = Some(Loader::Aya);
        }
        if matches!(log.kind, LineKind::Blank) {
            self.add_error_alone(error);
            return;
        }
        self.heading.begins_log = !joined.is_one_line;
        self.open_log(joined.log.place).is_one_line = joined.is_one_line;
        match find_broken_message(&log) {
            Some(message) => self.add_message(message),
            None => self.take_any(&log, &joined.log),
        }
        if joined.is_one_line {
            self.close_log();
        }
    }

    /// A loader's error with an empty log.
    fn add_error_alone(&mut self, error: LogLine<'_>) {
        if let LineKind::Messages(found) = error.kind
            && self.outside.len() < MOST_OUTSIDE
        {
            self.outside.push(MessageLine {
                line: error.number,
                text: error.text.to_string(),
                found,
            });
        }
    }

    /// Takes a line of a log about types; false if it is another.
    fn take_btf(&mut self, line: &LogLine<'_>, raw: &InputLine<'_>) -> bool {
        let open = self.open.as_mut().filter(|log| !log.is_over);
        if let Some(log) = open
            && let Some(btf) = &mut log.btf
        {
            log.is_over = !btf.take_line(line.number, &line.text);
            return !log.is_over;
        }
        let is_first = match line.kind {
            LineKind::Other | LineKind::Messages(_) => {
                begins_btf_log(&line.text) || find_type(&line.text).is_some()
            }
            _ => false,
        };
        if is_first {
            let mut btf = BtfLog::default();
            btf.take_line(line.number, &line.text);
            self.open_btf_log(raw.place).btf = Some(btf);
        }
        is_first
    }

    /// The log that has just begun, or another.
    fn open_btf_log(&mut self, begin: LinePlace) -> &mut ProgramLog {
        match self.open.take() {
            Some(log) if log.is_empty() => return self.open.insert(log),
            Some(log) => self.open = Some(log),
            None => {}
        }
        self.close_log();
        self.open_log(begin)
    }

    /// Notices where a loader left out lines. True if the line says nothing else.
    fn take_gap(&mut self, text: &str) -> bool {
        // Of cilium/ebpf twice; of iproute2.
        static MARKS: [Needle; 2] = [Needle::new("line(s) omitted)"), Needle::new("(truncated")];
        static IN_BOTH: Needle = Needle::new("ted");
        let text = text.trim_start();
        let skipped = text.starts_with("Skipped ") && text.contains(" bytes, use 'verb' option");
        if skipped && self.open.is_none() {
            self.heading.skips_lines = true;
        }
        if self.open.is_none() {
            return skipped;
        }
        if !IN_BOTH.is_in(text) && !skipped {
            return false;
        }
        let [omitted, truncated] = MARKS.each_ref().map(|mark| mark.is_in(text));
        if !omitted && !truncated && !skipped {
            return false;
        }
        let omitted = omitted || skipped;
        let is_alone = skipped || text.starts_with('(');
        if let Some(log) = self.open.as_mut().filter(|log| !log.is_over) {
            log.truncated |= truncated;
            let above = if log.is_one_line { 0 } else { log.insns };
            if omitted && (is_alone || log.is_one_line) && !(log.is_one_line && truncated) {
                log.gap_after = Some(above);
            }
        }
        is_alone
    }

    fn open_log(&mut self, begin: LinePlace) -> &mut ProgramLog {
        let mut log = ProgramLog::new(core::mem::take(&mut self.heading));
        self.in_causes = false;
        log.begin = Some(begin);
        self.open.insert(log)
    }

    /// The log that a line belongs to which only logs have.
    fn ensure_log(&mut self, place: LinePlace) -> &mut ProgramLog {
        match self.open.take() {
            Some(log) if !log.is_over => return self.open.insert(log),
            Some(log) => self.settle_before(log),
            None => {}
        }
        let first = self.take_messages_above(place);
        let above = self.source_above.take().unwrap_or_default();
        let log = self.open_log(above.first_place().unwrap_or(place));
        log.steps = above;
        log.last = first;
        log
    }

    /// Old kernels begin the log of many programs with messages that mean nothing.
    fn take_messages_above(&mut self, place: LinePlace) -> Vec<MessageLine> {
        let outside = &self.outside;
        let mut line = place.line_before();
        let mut first = outside.len();
        while let Some(message) = first.checked_sub(1).and_then(|last| outside.get(last))
            && message.line == line
            && message.is_from_kernel()
        {
            first -= 1;
            line = line.saturating_sub(usize::from(!place.is_quoted()));
        }
        self.outside.split_off(first)
    }

    fn take_insn(&mut self, pc: u32, raw: &InputLine<'_>) {
        let starts_again = self
            .open
            .as_ref()
            .is_some_and(|log| pc == 0 && log.insns > 0 && !log.checks_functions);
        if starts_again && !self.branched {
            self.close_log();
        }
        self.branched = false;
        let log = self.ensure_log(raw.place);
        log.notice_insn(pc);
        log.steps.keep_line(raw);
    }

    /// cilium/ebpf, and people who quote, put the error into the instruction's line.
    fn take_rest_of_insn(&mut self, line: &LogLine<'_>, rest: usize) {
        static COLON: Needle = Needle::new(": ");
        let after = line.text.get(rest..).unwrap_or_default();
        let is_comment = after.trim_start().starts_with(';');
        if after.is_empty() || (is_comment && !COLON.is_in(after)) {
            return;
        }
        let found = MessageTable::get_table().all_in(after);
        // In a function, the state begins with `frame1:`.
        let is_message = found
            .iter()
            .any(|found| found.message_role() != MessageRole::Noise);
        if let Some(log) = self.open.as_mut().filter(|_| is_message) {
            log.last.push(MessageLine {
                line: line.number,
                text: after.to_owned(),
                found,
            });
            log.is_over = true;
        }
    }

    fn take_state(&mut self, branched: bool, raw: &InputLine<'_>) {
        self.branched = branched;
        let log = self.ensure_log(raw.place);
        log.steps.keep_line(raw);
        log.after_blank = false;
    }

    /// Kernels before 5.16 begin a log with it.
    fn take_source(&mut self, raw: &InputLine<'_>) {
        match self.open.as_mut().filter(|log| !log.is_over) {
            Some(log) => log.steps.keep_line(raw),
            None => {
                let mut source = StepLines::default();
                source.keep_line(raw);
                self.source = Some(source);
            }
        }
    }

    fn extend_log(&mut self, raw: &InputLine<'_>) {
        if let Some(log) = self.open.as_mut().filter(|log| !log.is_over) {
            log.steps.keep_line(raw);
        }
    }

    fn take_messages(&mut self, line: &LogLine<'_>, found: Vec<FoundMessage>, raw: &InputLine<'_>) {
        self.heading.read_heading(&line.text);
        self.take_cause(&line.text);
        let message = MessageLine {
            line: line.number,
            text: line.text.to_string(),
            found,
        };
        // libbpf puts messages in place of instructions.
        if message.is_from_kernel() {
            self.extend_log(raw);
        }
        self.add_message(message);
    }

    fn add_message(&mut self, message: MessageLine) {
        let Some(log) = self.open.as_mut().filter(|log| !log.is_over) else {
            return self.add_outside(message);
        };
        log.notice_function(&message.text);
        if !message.is_from_kernel() {
            self.add_outside(message);
        } else if log.last.len() < MOST_MESSAGES {
            log.last.push(message);
        }
    }

    fn add_outside(&mut self, message: MessageLine) {
        self.name_last_log();
        if message
            .found
            .iter()
            .any(|found| found.message_role() != MessageRole::Noise)
            && self.outside.len() < MOST_OUTSIDE
        {
            self.outside.push(message);
        }
    }

    fn take_blank(&mut self) {
        if self.blanks.are_doubled_ends() {
            return;
        }
        if let Some(log) = self.open.as_mut() {
            log.after_blank = true;
            // Kernels up to 5.x print empty lines, but none after the error.
            // Above the first instruction they may follow a message that means nothing.
            let has_error = log.last.iter().any(MessageLine::is_error);
            log.is_over |= has_error && (log.insns > 0 || !log.has_begin_mark);
        }
    }

    fn take_other(&mut self, line: &LogLine<'_>) {
        self.heading.read_heading(&line.text);
        self.take_cause(&line.text);
        self.name_last_log();
        let Some(log) = self.open.as_mut().filter(|log| !log.is_over) else {
            return;
        };
        if !log.after_blank && log.last.len() < MOST_MESSAGES && !is_loaders(&line.text) {
            log.last.push(MessageLine {
                line: line.number,
                text: find_payload(&line.text).to_owned(),
                found: Vec::new(),
            });
        }
    }

    /// The error in a line by itself, as Rust's errors print their causes and their `Debug`.
    fn take_cause(&mut self, text: &str) {
        let text = text.trim();
        let is_link = is_numbered_error(text);
        let is_listed = self.in_causes || is_link || text.starts_with("Error: ");
        if is_link && let Some(log) = self.open.as_mut() {
            log.is_over = true;
        }
        if text.ends_with("Caused by:") {
            self.in_causes = true;
            if let Some(log) = self.open.as_mut() {
                log.is_over = true;
            }
        } else if text.ends_with("io_error: Os {") {
            self.in_io_error = true;
        } else if let Some(code) = text.strip_prefix("code: ").filter(|_| self.in_io_error) {
            self.heading.errno = code.trim_end_matches(',').parse().ok();
            self.in_io_error = false;
        } else if is_listed
            && let Some(errno) = find_error_number(text)
            && let Some(log) = self.last_log()
        {
            log.errno.get_or_insert(errno);
            if log.loader == Some(Loader::Libbpf) {
                log.loader = Some(Loader::LibbpfRs);
            }
        }
    }

    /// The log that is over, and that a loader may still talk about.
    fn last_log(&mut self) -> Option<&mut ProgramLog> {
        match self.open.as_mut() {
            Some(log) => Some(log).filter(|log| log.is_over),
            None => self.closed.as_mut(),
        }
    }

    /// A loader says after the log which program it was and how it ended.
    fn name_last_log(&mut self) {
        let heading = core::mem::take(&mut self.heading);
        if let Some(log) = self.last_log()
            && (log.name.is_none() || log.name == heading.name)
        {
            log.name = log.name.take().or_else(|| heading.name.clone());
            log.errno = log.errno.or(heading.errno);
            log.fails_load |= heading.fails_load;
            log.loader = choose_loader(log.loader, heading.loader);
        }
        self.heading = heading;
    }

    fn take_before_summary(&mut self, line: &LogLine<'_>, start: usize) {
        let before = &line.text[..start];
        let found = MessageTable::get_table().all_in(before);
        if found.iter().any(|found| found.from_kernel) {
            self.add_message(MessageLine {
                line: line.number,
                text: before.to_owned(),
                found,
            });
        }
    }

    fn take_summary(&mut self, processed: u64) {
        self.in_report = false;
        let has_open = self
            .open
            .as_ref()
            .is_some_and(|log| log.processed.is_none());
        if !has_open {
            self.close_log();
            self.open_log_without_insns();
        }
        if let Some(log) = self.open.as_mut() {
            log.processed = Some(processed);
            log.is_over = true;
        }
    }

    /// A log without a single instruction: the messages just before its report or its summary are
    /// its own.
    fn open_log_without_insns(&mut self) {
        let mut log = ProgramLog::new(core::mem::take(&mut self.heading));
        let others = self
            .outside
            .iter()
            .rposition(|message| !message.is_from_kernel());
        log.last = self.outside.split_off(others.map_or(0, |at| at + 1));
        self.open = Some(log);
    }

    fn begin_report(&mut self, line: &LogLine<'_>, start: usize) {
        self.in_report = true;
        if self.open.is_none() {
            self.open_log_without_insns();
        }
        if let Some(log) = self.open.as_mut() {
            log.is_over = true;
            if log.report.is_empty() {
                log.report_line = line.number;
            }
            log.report.push(line.text[start..].to_owned());
        }
    }

    /// A log may follow a report without a word in between.
    fn leaves_report(&mut self, line: &LogLine<'_>) -> bool {
        let is_of_log = match line.kind {
            LineKind::Insn { .. } | LineKind::State { .. } => !line.text.contains(" | "),
            LineKind::Other => line.text.trim() == "Caused by:",
            _ => false,
        };
        self.in_report = !is_of_log;
        is_of_log
    }

    fn take_report_line(&mut self, line: &LogLine<'_>) {
        // What a loader asked for beside the log (aya does) is no part of the report.
        if line.text.trim_start().starts_with("verification time ") {
            self.in_report = false;
            return;
        }
        if let Some(log) = self
            .open
            .as_mut()
            .filter(|log| log.report.len() < LONGEST_REPORT)
        {
            log.report.push(line.text.to_string());
        }
    }

    fn close_log(&mut self) {
        if let Some(log) = self.open.take().filter(|log| !log.is_nothing()) {
            self.settle_before(log);
        }
        self.in_report = false;
    }

    /// What comes now is not about the log before this one.
    fn settle_before(&mut self, log: ProgramLog) {
        self.settled.extend(self.closed.replace(log));
    }
}

/// What comes later knows better, but for libbpf: others use it.
fn choose_loader(before: Option<Loader>, after: Option<Loader>) -> Option<Loader> {
    match (before, after) {
        (None | Some(Loader::Libbpf), Some(loader)) => Some(loader),
        _ => before,
    }
}

/// The message that a log consists of, where whoever quoted it broke it off.
fn find_broken_message(line: &LogLine<'_>) -> Option<MessageLine> {
    if !matches!(line.kind, LineKind::Other) {
        return None;
    }
    let (template, end) = MessageTable::get_table().broken_off(&line.text)?;
    let found = FoundMessage {
        template,
        start: 0,
        end,
        from_kernel: true,
    };
    Some(MessageLine {
        line: line.number,
        text: line.text.to_string(),
        found: Vec::from([found]),
    })
}

/// Whether the only line of a log is the verifier's without doubt, and not what a loader adds to
/// its error.
fn is_sure_of_kernel(line: &LogLine<'_>) -> bool {
    match &line.kind {
        LineKind::Insn { .. } | LineKind::State { .. } => true,
        LineKind::Summary { .. } | LineKind::LookingBack => true,
        LineKind::Messages(found) if found.iter().any(|found| found.from_kernel) => true,
        LineKind::Messages(_) | LineKind::Other => line.text.contains("line(s) omitted)"),
        _ => false,
    }
}

/// `1: Permission denied (os error 13)`: a link of the chain that anyhow and eyre print.
fn is_numbered_error(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_link = digits > 0 && text[digits..].starts_with(": ");
    is_link && text.ends_with(')') && text.contains(" (os error ")
}

/// What loaders say around a log is no message of the verifier.
fn is_loaders(text: &str) -> bool {
    let text = text.trim_start();
    const BEGINNINGS: [&str; 10] = [
        "libbpf: ",
        "Error: ",
        "ERROR: ",
        "Error loading",
        "Exception: ",
        "Traceback ",
        "Caused by",
        "thread '",
        "```",
        "--",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

/// All that is found in a text.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct ScannedText {
    pub logs: Vec<ProgramLog>,
    pub outside: Vec<MessageLine>,
}

#[cfg(test)]
pub fn scan_text(input: &[u8]) -> ScannedText {
    let mut scanner = LogScanner::default();
    let mut lines = crate::input::lines::LineReader::default();
    lines.push_bytes(input, &mut |line| scanner.take_line(line));
    lines.finish_lines(&mut |line| scanner.take_line(line));
    let outside = scanner.finish_scan();
    ScannedText {
        logs: scanner.settled.into(),
        outside,
    }
}

#[cfg(test)]
mod tests {
    use super::scan_text;
    use alloc::format;
    use alloc::vec::Vec;

    /// How many instructions each log of a text has.
    fn logs(text: &str) -> Vec<u64> {
        scan_text(text.as_bytes())
            .logs
            .iter()
            .map(|log| log.insns)
            .collect()
    }

    #[test]
    fn a_log_begins_at_instruction_0() {
        assert_eq!(
            logs("0: (b7) r0 = 0\n1: (95) exit\n0: (b7) r0 = 0\n1: (95) exit"),
            [2, 2]
        );
    }

    #[test]
    fn the_state_of_a_function_is_no_end() {
        let called = "0: (85) call bpf_loop#181 14: frame1: R1=scalar() R10=fp0 cb\n";
        let inside = "14: (67) r1 <<= 32                    ; frame1: R1_w=scalar() cb\n";
        assert_eq!(logs(&format!("{called}{inside}15: (95) exit")), [3]);
    }

    #[test]
    fn an_error_that_loaders_repeat_is_the_logs_own() {
        let log = "0: (85) call bpf_skb_load_bytes#26\n\
                   unknown func bpf_skb_load_bytes#26\n\
                   processed 1 insns (limit 1)\n";
        let scan = scan_text(log.as_bytes());
        assert_eq!(
            (
                scan.logs.len(),
                scan.logs[0].insns,
                scan.logs[0].last.len(),
                scan.outside.len()
            ),
            (1, 1, 1, 0)
        );
    }

    #[test]
    fn a_loop_leads_back_to_instruction_0() {
        let round =
            "0: (b7) r0 = 0\n1: (55) if r1 != 0x0 goto pc-2\nfrom 1 to 0: R0=0 R1=ctx() R10=fp0\n";
        assert_eq!(logs(&format!("{round}{round}0: (95) exit")), [5]);
        assert_eq!(
            logs(&format!("{round}Func#1 is safe for any args\n0: (95) exit")),
            [3]
        );
    }
}
