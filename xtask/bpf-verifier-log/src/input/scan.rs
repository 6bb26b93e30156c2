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
//! Nothing but the lines after the last instruction is kept, so a log of any size takes little
//! memory.

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::grammar::needle::Needle;
use crate::grammar::table::{FoundMessage, MessageTable};
use crate::grammar::template::MessageRole;
use crate::input::heading::LoaderHeading;
use crate::input::line::{LineKind, LogLine, is_plain_state, is_plainly_looking_back};
use crate::input::lines::{InputLine, InputLines, LinePosition};
use crate::input::program_log::{MessageLine, ProgramLog};
use crate::input::text::is_binary;
use crate::log::insn::find_plain_pc;
use crate::log::message::LogMessage;

/// What the input holds.
#[derive(Debug, Default)]
pub struct ScannedText {
    pub logs: Vec<ProgramLog>,
    /// Messages outside any log.
    pub outside: Vec<MessageLine>,
}

/// Enough for the messages at the end of a log; more are a text that only looks like one.
const MOST_MESSAGES: usize = 64;
/// A report of Linux 7.3 has some dozens of lines.
const LONGEST_REPORT: usize = 400;
/// What a text can be expected to hold; the rest is left out.
const MOST_LOGS: usize = 1000;
const MOST_CLEAN: usize = 500;

pub fn scan_text(input: &[u8]) -> ScannedText {
    let mut scanner = Scanner::default();
    let mut lines = InputLines::new(input);
    loop {
        let position = lines.next_position();
        let Some(raw) = lines.next() else { break };
        scanner.take_line(&raw, position);
    }
    scanner.finish()
}

#[derive(Debug, Default)]
struct Scanner {
    scan: ScannedText,
    open: Option<ProgramLog>,
    /// What the loader message last, for the log that comes next.
    heading: LoaderHeading,
    in_report: bool,
    branched: bool,
    /// Where this line is, if it is one of the source.
    source: Option<LinePosition>,
    /// The same for the line above: a log may begin with it.
    source_above: Option<LinePosition>,
}

impl Scanner {
    fn take_line(&mut self, raw: &InputLine<'_>, position: LinePosition) {
        let end = raw.start + raw.bytes.len();
        self.source_above = self.source.take();
        if self.in_report || !self.take_plain(raw.bytes, position, end) {
            self.take_any(&LogLine::read_line(raw), position, end);
        }
    }

    /// Takes the lines that a log has most of, without reading them; false if it is another.
    fn take_plain(&mut self, bytes: &[u8], position: LinePosition, end: usize) -> bool {
        if let Some(pc) = find_plain_pc(bytes) {
            self.take_insn(pc, position, end);
        } else if is_plain_state(bytes) {
            self.take_state(false, position, end);
        } else if bytes.starts_with(b";") {
            self.take_source(position, end);
        } else if is_plainly_looking_back(bytes) {
            self.extend_log(end);
        } else if bytes.is_empty() || is_binary(bytes) {
            self.take_blank();
        } else {
            return false;
        }
        true
    }

    fn take_any(&mut self, line: &LogLine<'_>, position: LinePosition, end: usize) {
        match &line.kind {
            LineKind::Begin => self.begin_log(line, position),
            LineKind::End => self.close_log(),
            LineKind::Summary {
                processed,
                exceeded,
                start,
            } => {
                self.take_before_summary(line, *start, end);
                self.take_summary(*processed, end);
                if let Some(log) = self.open.as_mut().filter(|_| *exceeded) {
                    log.exceeded = Some(LogMessage {
                        line: line.number,
                        text: line.text[*start..].to_owned(),
                    });
                }
            }
            LineKind::Report { start } => self.begin_report(line, *start),
            _ if self.in_report => self.take_report_line(line),
            LineKind::Insn { insn, rest } => {
                self.take_insn(insn.pc, position, end);
                self.take_rest_of_insn(line, *rest);
            }
            LineKind::State { branch, .. } => self.take_state(branch.is_some(), position, end),
            LineKind::Source { .. } => self.take_source(position, end),
            LineKind::LookingBack => self.extend_log(end),
            LineKind::Messages(found) => self.take_messages(line, found.clone(), end),
            LineKind::Blank => self.take_blank(),
            LineKind::Other => self.take_other(line, end),
        }
    }

    fn begin_log(&mut self, line: &LogLine<'_>, position: LinePosition) {
        self.close_log();
        self.in_report = false;
        self.heading.read_heading(&line.text);
        self.open_log(position);
    }

    fn open_log(&mut self, position: LinePosition) -> &mut ProgramLog {
        let mut log = ProgramLog::new(core::mem::take(&mut self.heading));
        log.begin = Some(position);
        self.open.insert(log)
    }

    /// The log that a line belongs to which only logs have.
    fn ensure_log(&mut self, position: LinePosition) -> &mut ProgramLog {
        match self.open.take() {
            Some(log) if !log.is_over => return self.open.insert(log),
            Some(log) => self.keep_log(log),
            None => {}
        }
        let first = self.take_messages_above(position);
        let log = self.open_log(self.source_above.unwrap_or(position));
        log.last = first;
        log
    }

    /// Old kernels begin the log of many programs with messages that mean nothing.
    fn take_messages_above(&mut self, position: LinePosition) -> Vec<MessageLine> {
        let outside = &self.scan.outside;
        let mut line = position.line_before();
        let mut first = outside.len();
        while let Some(message) = first.checked_sub(1).and_then(|last| outside.get(last))
            && message.line == line
            && message.is_from_kernel()
        {
            first -= 1;
            line = line.saturating_sub(usize::from(!position.is_quoted()));
        }
        self.scan.outside.split_off(first)
    }

    fn take_insn(&mut self, pc: u32, position: LinePosition, end: usize) {
        let starts_again = self
            .open
            .as_ref()
            .is_some_and(|log| pc == 0 && log.insns > 0 && !log.checks_functions);
        if starts_again && !self.branched {
            self.close_log();
        }
        self.branched = false;
        let log = self.ensure_log(position);
        log.insns += 1;
        log.last.clear();
        log.end = end;
        log.after_blank = false;
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

    fn take_state(&mut self, branched: bool, position: LinePosition, end: usize) {
        self.branched = branched;
        let log = self.ensure_log(position);
        log.end = end;
        log.after_blank = false;
    }

    /// Kernels before 5.16 begin a log with it.
    fn take_source(&mut self, position: LinePosition, end: usize) {
        self.source = Some(position);
        self.extend_log(end);
    }

    fn extend_log(&mut self, end: usize) {
        if let Some(log) = self.open.as_mut().filter(|log| !log.is_over) {
            log.end = end;
        }
    }

    fn take_messages(&mut self, line: &LogLine<'_>, found: Vec<FoundMessage>, end: usize) {
        self.heading.read_heading(&line.text);
        self.add_message(
            MessageLine {
                line: line.number,
                text: line.text.to_string(),
                found,
            },
            end,
        );
    }

    fn add_message(&mut self, message: MessageLine, end: usize) {
        let Some(log) = self.open.as_mut().filter(|log| !log.is_over) else {
            return self.add_outside(message);
        };
        log.notice_function(&message.text);
        log.truncated |= message.text.contains("(truncated");
        log.end = end;
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
            && self.scan.outside.len() < 4 * MOST_MESSAGES
        {
            self.scan.outside.push(message);
        }
    }

    fn take_blank(&mut self) {
        if let Some(log) = self.open.as_mut() {
            log.after_blank = true;
            // Kernels up to 5.x print empty lines, but none after the error.
            log.is_over |= log.last.iter().any(MessageLine::is_error);
        }
    }

    fn take_other(&mut self, line: &LogLine<'_>, end: usize) {
        self.heading.read_heading(&line.text);
        self.name_last_log();
        let Some(log) = self.open.as_mut().filter(|log| !log.is_over) else {
            return;
        };
        static CUT: Needle = Needle::new("(truncated");
        log.truncated |= CUT.is_in(&line.text);
        if !log.after_blank && log.last.len() < MOST_MESSAGES && !is_loaders(&line.text) {
            log.last.push(MessageLine {
                line: line.number,
                text: line.text.trim().to_owned(),
                found: Vec::new(),
            });
            log.end = end;
        }
    }

    /// A loader says after the log which program it was and how it ended.
    fn name_last_log(&mut self) {
        let last = match self.open.as_mut() {
            Some(log) if log.is_over => Some(log),
            Some(_) => None,
            None => self.scan.logs.last_mut(),
        };
        if let Some(log) = last.filter(|log| log.name.is_none() || log.name == self.heading.name) {
            log.name = log.name.take().or_else(|| self.heading.name.clone());
            log.errno = log.errno.or(self.heading.errno);
        }
    }

    fn take_before_summary(&mut self, line: &LogLine<'_>, start: usize, end: usize) {
        let before = &line.text[..start];
        let found = MessageTable::get_table().all_in(before);
        if found.iter().any(|found| found.from_kernel) {
            self.add_message(
                MessageLine {
                    line: line.number,
                    text: before.to_owned(),
                    found,
                },
                end,
            );
        }
    }

    fn take_summary(&mut self, processed: u64, end: usize) {
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
            log.end = end;
            log.is_over = true;
        }
    }

    /// A log without a single instruction: the messages just before its report or its summary are
    /// its own.
    fn open_log_without_insns(&mut self) {
        let mut log = ProgramLog::new(core::mem::take(&mut self.heading));
        let outside = &mut self.scan.outside;
        let others = outside
            .iter()
            .rposition(|message| !message.is_from_kernel());
        log.last = outside.split_off(others.map_or(0, |at| at + 1));
        self.open = Some(log);
    }

    fn begin_report(&mut self, line: &LogLine<'_>, start: usize) {
        self.in_report = true;
        if self.open.is_none() {
            self.open_log_without_insns();
        }
        if let Some(log) = self.open.as_mut() {
            log.is_over = true;
            log.report.push(line.text[start..].to_owned());
        }
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
        if let Some(log) = self.open.take() {
            self.keep_log(log);
        }
        self.in_report = false;
    }

    /// Rejections are worth more than logs of programs that loaded.
    fn keep_log(&mut self, log: ProgramLog) {
        let most = if log
            .last
            .iter()
            .any(|message| message.is_error() || message.found.is_empty())
        {
            MOST_LOGS
        } else {
            MOST_CLEAN
        };
        if self.scan.logs.len() < most {
            self.scan.logs.push(log);
        }
    }

    fn finish(mut self) -> ScannedText {
        self.name_last_log();
        self.close_log();
        self.scan
    }
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
