//! Which of the last lines of a log is the reason of the rejection.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_class::decide_class;
use crate::explain::decide_report_class::decide_class_of_report;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::message_text::{cut_message, trim_message};
use crate::explain::prose::without_margin;
use crate::grammar::message_age::MessageAge;
use crate::grammar::table::{FoundMessage, MessageTable};
use crate::grammar::template::MessageRole;
use crate::grammar::words::find_register;
use crate::input::program_log::{MessageLine, ProgramLog};
use crate::log::message::LogMessage;

/// The reason of a rejection, as the log words it.
#[derive(Clone, Debug)]
pub struct RejectionReason {
    /// `None` where nobody has explained this message.
    pub class: Option<Class>,
    /// The decisive line first, then the one that says more about it.
    pub lines: Vec<LogMessage>,
    /// The register that the message names.
    pub register: Option<u8>,
    /// Which kernels print the decisive line.
    pub age: Option<MessageAge>,
    /// It is about a function of which the verifier has not begun to check the instructions.
    pub before_insns: bool,
}

/// The reason that a log gives; `None` if it shows no rejection.
pub fn decide_reason(log: &ProgramLog) -> Option<RejectionReason> {
    let errors = find_candidates(log, &[MessageRole::Error, MessageRole::Unexplained]);
    let details = find_candidates(log, &[MessageRole::Detail]);
    if let Some(main) = find_main(&errors) {
        if is_about_caller(main) {
            return Some(explain_call(log, main));
        }
        let in_other_line = |error: &&Candidate<'_>| error.order != main.order;
        let decoys = find_candidates(log, &[MessageRole::Decoy]);
        let other = details
            .last()
            .or(errors.iter().find(in_other_line))
            .or(decoys.iter().find(|decoy| explains(decoy, main)));
        return Some(explain_candidate(log, &errors, main, other));
    }
    if let Some(detail) = details.last() {
        return Some(explain_candidate(log, &details, detail, None));
    }
    decide_by_limit(log)
        .or_else(|| decide_by_decoy(log))
        .or_else(|| decide_by_report(log))
        .or_else(|| decide_by_joined_lines(log))
        .or_else(|| decide_by_unknown_line(log))
}

/// A known message in one of the last lines.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    line: &'a MessageLine,
    /// Which of the last lines it is: in a quoted log, all have one number.
    order: usize,
    found: &'a FoundMessage,
}

impl Candidate<'_> {
    fn message(&self) -> LogMessage {
        let is_about_register = self.found.template.is_about_register();
        let text = cut_message(&self.line.text, self.found.start, is_about_register);
        LogMessage {
            line: self.line.line,
            text: text.to_owned(),
        }
    }

    /// The message from its first fixed word on.
    fn text(&self) -> &str {
        trim_message(&self.line.text[self.found.start..])
    }
}

/// The messages of these roles that the kernel printed, in the order of the log.
fn find_candidates<'a>(log: &'a ProgramLog, roles: &[MessageRole]) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::new();
    for (order, line) in log.last.iter().enumerate() {
        for found in &line.found {
            if found.from_kernel && roles.contains(&found.message_role()) {
                candidates.push(Candidate { line, order, found });
            }
        }
    }
    candidates
}

/// The last message is the reason; where several say the same, the first one has the numbers.
fn find_main<'a, 'b>(errors: &'b [Candidate<'a>]) -> Option<&'b Candidate<'a>> {
    let class = errors.last()?.found.template.class;
    errors
        .iter()
        .find(|error| error.found.template.class == class)
}

/// A line above the message that is about the same: `func 'f' arg0 type FWD is not a struct`.
fn explains(decoy: &Candidate<'_>, main: &Candidate<'_>) -> bool {
    decoy.order + 1 == main.order && decoy.found.template.class == main.found.template.class
}

/// Linux 6.8 and later check what a global function takes and returns where it is called, and say
/// so in a line of its own, which comes after the cause.
fn is_about_caller(main: &Candidate<'_>) -> bool {
    main.text().starts_with("Caller passes invalid args")
}

/// The function's own fault is printed for good programs of older kernels too; here it is the
/// cause. All lines are shown.
fn explain_call(log: &ProgramLog, caller: &Candidate<'_>) -> RejectionReason {
    const ROLES: [MessageRole; 4] = [
        MessageRole::Error,
        MessageRole::Unexplained,
        MessageRole::Detail,
        MessageRole::Decoy,
    ];
    let all = find_candidates(log, &ROLES);
    let above: Vec<_> = all
        .into_iter()
        .filter(|candidate| candidate.order < caller.order)
        .collect();
    let cause = above
        .iter()
        .rev()
        .find(|line| is_about_function(line.found));
    let main = cause.unwrap_or(caller);
    let mut reason = explain_candidate(log, &above, main, None);
    for other in above.iter().chain([caller]) {
        let message = other.message();
        if !reason.lines.contains(&message) {
            reason.lines.push(message);
        }
    }
    reason
}

/// A function's own fault: nothing that a caller passes helps.
fn is_about_function(found: &FoundMessage) -> bool {
    let class = found.template.class;
    let is_decoy = found.message_role() == MessageRole::Decoy;
    (is_decoy && class != Some(Class::KfuncArg))
        || matches!(
            class,
            Some(Class::GlobalFuncReturn | Class::BtfFuncInfo | Class::StackArgs)
        )
}

/// `main` with the line that says more about it, out of all `candidates`.
fn explain_candidate(
    log: &ProgramLog,
    candidates: &[Candidate<'_>],
    main: &Candidate<'_>,
    other: Option<&Candidate<'_>>,
) -> RejectionReason {
    let mut lines = vec![main.message()];
    if let Some(other) = other {
        lines.push(other.message());
    }
    // The last message that names a register, and the other line if none does.
    let named = candidates.iter().rev().chain(other);
    let register = named
        .into_iter()
        .find_map(|candidate| find_register(candidate.text()));
    let listed = main.found.template.class;
    let in_function = log.is_in_global_function();
    RejectionReason {
        class: listed.map(|class| decide_class(class, main.text(), in_function)),
        lines,
        register,
        age: main.found.template.age,
        before_insns: false,
    }
}

/// Where the message is missing, the count tells that the program was too much.
fn decide_by_limit(log: &ProgramLog) -> Option<RejectionReason> {
    let summary = log.exceeded.clone()?;
    Some(RejectionReason {
        class: Some(Class::ComplexityInsns),
        lines: vec![summary],
        register: None,
        age: None,
        before_insns: false,
    })
}

/// What is printed for good programs too is the reason only where the verifier got no further.
fn decide_by_decoy(log: &ProgramLog) -> Option<RejectionReason> {
    let decoys = find_candidates(log, &[MessageRole::Decoy]);
    let main = decoys.last()?;
    is_end(log, main).then(|| RejectionReason {
        before_insns: log.is_at_function_start(),
        ..explain_candidate(log, &decoys, main, None)
    })
}

/// Whether a message that good programs have too ends this log.
fn is_end(log: &ProgramLog, decoy: &Candidate<'_>) -> bool {
    // `Unrecognized arg#0 type PTR` is the first line of good logs of 5.x. After an instruction,
    // it comes from the call of a kfunc: a call of a function is followed by its instructions.
    if decoy.found.template.class == Some(Class::KfuncArg) {
        return log.insns > 0;
    }
    // Linux 5.10 and 6.1 check one global function after the other.
    let went_on = log.insns > 0 || log.processed.is_some_and(|count| count > 0);
    !went_on || log.is_at_function_start()
}

/// Where the classic line is missing, the report says all: what failed in its first line, and why
/// below. That a newer kernel has other categories does not make it less of a rejection.
fn decide_by_report(log: &ProgramLog) -> Option<RejectionReason> {
    let report = Diagnosis::read_diagnosis(&log.report)?;
    if !report.is_verifiers() && log.insns == 0 && log.processed.is_none() {
        return None;
    }
    let title = log.report.first()?.trim();
    Some(RejectionReason {
        class: decide_class_of_report(&report),
        lines: vec![LogMessage {
            line: log.report_line,
            text: trim_message(title).to_owned(),
        }],
        register: find_register(&report.reason),
        age: None,
        before_insns: false,
    })
}

/// A message that mail has wrapped: it ends in the next line.
fn decide_by_joined_lines(log: &ProgramLog) -> Option<RejectionReason> {
    let pairs = log.last.windows(2);
    let joined = pairs.filter_map(|pair| join_lines(&pair[0], &pair[1]));
    let closed = log.last.iter().filter_map(close_quotation);
    for line in joined.chain(closed) {
        let joined = ProgramLog::from_quoted(vec![line]);
        let errors = find_candidates(&joined, &[MessageRole::Error]);
        if let Some(main) = find_main(&errors) {
            return Some(explain_candidate(log, &errors, main, None));
        }
    }
    None
}

fn join_lines(first: &MessageLine, second: &MessageLine) -> Option<MessageLine> {
    if !first.found.is_empty() || second.line != first.line + 1 {
        return None;
    }
    let (before, after) = (without_margin(&first.text), without_margin(&second.text));
    let text = [before, " ", after].concat();
    Some(MessageLine {
        line: first.line,
        found: MessageTable::get_table().all_in(&text),
        text,
    })
}

/// The mark that ends a kind may be in the next line, or cut.
fn close_quotation(line: &MessageLine) -> Option<MessageLine> {
    let is_open = line.found.is_empty() && line.text.matches('\'').count() == 1;
    let text = is_open.then(|| [without_margin(&line.text), "'"].concat())?;
    Some(MessageLine {
        line: line.line,
        found: MessageTable::get_table().all_in(&text),
        text,
    })
}

/// The line after the last instruction, where it is nothing that a good program's log has.
fn decide_by_unknown_line(log: &ProgramLog) -> Option<RejectionReason> {
    // Without an end, what follows may be anything that someone wrote there.
    if log.processed.is_none() && log.insns == 0 && !log.is_one_line {
        return None;
    }
    let is_unknown = |line: &&MessageLine| line.found.is_empty() && may_be_message(&line.text);
    let line = log.last.iter().find(is_unknown)?;
    let text = trim_message(&line.text).to_owned();
    Some(RejectionReason {
        class: None,
        age: None,
        before_insns: false,
        register: find_register(&text),
        lines: vec![LogMessage {
            line: line.line,
            text,
        }],
    })
}

fn may_be_message(text: &str) -> bool {
    const STATISTICS: [&str; 6] = [
        "verification time",
        "stack depth",
        "insns_",
        "mark_precise",
        "regs=",
        "parent ",
    ];
    let is_statistics = STATISTICS.iter().any(|word| text.starts_with(word));
    !is_statistics && text.split_whitespace().count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::scan::scan_text;
    use alloc::format;
    use alloc::string::String;

    fn class(log: &str) -> Option<Class> {
        let scan = scan_text(log.as_bytes());
        scan.logs
            .iter()
            .find_map(decide_reason)
            .and_then(|reason| reason.class)
    }

    fn lines(log: &str) -> Vec<String> {
        let scan = scan_text(log.as_bytes());
        let reason = scan.logs.iter().find_map(decide_reason).unwrap();
        reason.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_line_after_the_last_instruction_decides() {
        let log = "R1 type=ctx expected=fp\n\
                   0: R1=ctx() R10=fp0\n\
                   0: (bf) r0 = r2\n\
                   R2 !read_ok\n\
                   processed 1 insns (limit 1000000)";
        assert_eq!(class(log), Some(Class::UninitReg));
        let accepted = "R1 type=ctx expected=fp\n\
                        0: (b7) r0 = 0\n\
                        1: (95) exit\n\
                        processed 2 insns (limit 1000000)";
        assert_eq!(class(accepted), None);
    }

    #[test]
    fn two_lines_are_one_error() {
        let log = "8: (71) r0 = *(u8 *)(r1 +23)\n\
                   invalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)\n\
                   R1 offset is outside of the packet\n\
                   processed 9 insns (limit 1000000)";
        assert_eq!(class(log), Some(Class::PacketBounds));
        assert_eq!(lines(log).len(), 2);
        let log = "5: (85) call pc+2\n\
                   R1 type=ctx expected=fp\n\
                   Caller passes invalid args into func#1\n\
                   processed 5 insns";
        assert_eq!(class(log), Some(Class::GlobalFuncArg));
        assert_eq!(
            lines(log),
            [
                "Caller passes invalid args into func#1",
                "R1 type=ctx expected=fp"
            ]
        );
    }

    #[test]
    fn the_register_is_that_of_the_last_line_that_names_one() {
        let register = |log: &str| {
            let scan = scan_text(log.as_bytes());
            decide_reason(&scan.logs[0]).unwrap().register
        };
        let end = "processed 1 insns (limit 1000000)";
        for (messages, expected) in [
            ("R2 !read_ok", Some(2)),
            // Only the line that says more names one.
            (
                "R1 type=ctx expected=fp\nCaller passes invalid args into func#1",
                Some(1),
            ),
            (
                "invalid access to map value, value_size=48 off=65 size=1\n\
                 R7 max value is outside of the allowed memory range",
                Some(7),
            ),
            ("BPF program is too large. Processed 1000001 insn", None),
        ] {
            let log = format!("0: (95) exit\n{messages}\n{end}");
            assert_eq!(register(&log), expected, "{messages}");
        }
    }

    #[test]
    fn a_message_may_be_wrapped() {
        let end = "processed 1 insns (limit 1000000)";
        for wrapped in [
            "R1 invalid mem access\n'inv'",
            "> R1 invalid mem access 'inv\n> '",
        ] {
            let log = format!("0: (95) exit\n{wrapped}\n{end}");
            assert_eq!(class(&log), Some(Class::ScalarDeref), "{wrapped}");
            assert_eq!(lines(&log), ["R1 invalid mem access 'inv'"]);
        }
        let pointer = "R3 pointer arithmetic on map_value_or_null\nprohibited, null-check it first";
        let log = format!("0: (95) exit\n{pointer}\n{end}");
        assert_eq!(class(&log), Some(Class::PtrArithProhibited));
    }

    #[test]
    fn a_detail_alone_is_a_reason() {
        let detail = "R1 offset is outside of the packet";
        let log = format!("0: (95) exit\n{detail}\nprocessed 1 insns (limit 1000000)");
        assert_eq!(class(&log), Some(Class::PacketBounds));
        assert_eq!(lines(&log), [detail]);
    }

    #[test]
    fn a_function_that_returns_nothing_is_not_about_its_arguments() {
        let log = "1: (85) call pc+2\n\
                   Global function gv() doesn't return scalar. Only those are supported.\n\
                   Caller passes invalid args into func#1 ('gv')\n\
                   processed 2 insns (limit 1000000)";
        assert_eq!(class(log), Some(Class::GlobalFuncReturn));
    }

    #[test]
    fn an_error_in_the_instructions_own_line() {
        let log = "load program: permission denied: 127: (61) r9 = *(u32 *)(r1 +0): R1 invalid \
                   mem access 'map_value_or_null' (183 line(s) omitted)";
        assert_eq!(class(log), Some(Class::MapValueOrNull));
        assert_eq!(lines(log), ["R1 invalid mem access 'map_value_or_null'"]);
    }

    #[test]
    fn a_decoy_decides_only_where_nothing_follows() {
        let decoy = "arg#0 reference type('FWD pt_regs') size cannot be determined: -22\n";
        assert_eq!(
            class(&format!("{decoy}processed 0 insns (limit 1000000)")),
            Some(Class::GlobalFuncArg)
        );
        assert_eq!(
            class(&format!("{decoy}processed 7 insns (limit 1000000)")),
            None
        );
        assert_eq!(class(&format!("0: (b7) r0 = 0\n{decoy}")), None, "cut");
        assert_eq!(
            class(&format!(
                "{decoy}0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)"
            )),
            None
        );
    }

    #[test]
    fn a_count_above_the_limit_is_a_reason() {
        let summary = "processed 1000001 insns (limit 1000000) max_states_per_insn 9";
        assert_eq!(class(summary), Some(Class::ComplexityInsns));
        assert_eq!(
            class(&format!("0: (95) exit\n{summary}")),
            Some(Class::ComplexityInsns)
        );
        assert_eq!(
            class(&format!("0: (95) exit\nR0 !read_ok\n{summary}")),
            Some(Class::UninitReg)
        );
        assert_eq!(
            class("processed 131073 insns, stack depth 0"),
            Some(Class::ComplexityInsns),
            "Linux 4.19"
        );
        assert_eq!(
            class("0: (95) exit\nprocessed 1000000 insns (limit 1000000)"),
            None
        );
    }

    #[test]
    fn what_is_around_a_message_is_left_out() {
        for line in [
            "+R2 !read_ok",
            "<b>R2 !read_ok</b>",
            "it says \"R2 !read_ok\" and nothing else",
            "- `R2 !read_ok` again",
        ] {
            assert_eq!(
                lines(&format!("0: (95) exit\n{line}\nprocessed 1 insns")),
                ["R2 !read_ok"],
                "{line}"
            );
        }
        let name = "__sys_connect is not sleepable\nprocessed 0 insns";
        assert_eq!(lines(name), ["__sys_connect is not sleepable"]);
        let patch = "0: (95) exit\n\
                     +  dereference of modified ctx ptr R3 off=8 disallowed\n\
                     processed 1 insns";
        assert_eq!(
            lines(patch),
            ["dereference of modified ctx ptr R3 off=8 disallowed"]
        );
    }

    /// Whether a log without a known message is taken for a rejection.
    fn is_rejection(log: &str) -> bool {
        let scan = scan_text(log.as_bytes());
        scan.logs.iter().any(|log| decide_reason(log).is_some())
    }

    #[test]
    fn a_message_of_a_kernel_to_come_is_unknown() {
        let unknown = "the moon is in the wrong phase for R3";
        let log = format!("0: (95) exit\n{unknown}\nprocessed 1 insns (limit 1000000)");
        let scan = scan_text(log.as_bytes());
        let reason = decide_reason(&scan.logs[0]).unwrap();
        assert_eq!((reason.class, reason.register), (None, Some(3)));
        let expected = LogMessage {
            line: 2,
            text: unknown.to_owned(),
        };
        assert_eq!(reason.lines, [expected]);
    }

    #[test]
    fn an_unknown_line_decides_only_within_a_log() {
        let begin = "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n";
        let unknown = "the moon is in the wrong phase\n";
        assert!(!is_rejection(&format!("{begin}{unknown}")), "no end");
        let end = "processed 0 insns (limit 1000000)";
        assert!(is_rejection(&format!("{begin}{unknown}{end}")));
        assert!(is_rejection(&format!("{begin}0: (95) exit\n{unknown}")));
    }

    #[test]
    fn what_logs_of_good_programs_end_with_is_no_reason() {
        let begin = "libbpf: prog 'p': -- BEGIN PROG LOAD LOG --\n0: (95) exit\n";
        for last in [
            "verification time 57 usec\nstack depth 8\n",
            "mark_precise: frame0: last_idx 3 first_idx 0\n",
            "regs=4 stack=0 before 2: (bf) r2 = r1\n",
            "Func#1 is safe for any args that match its prototype\n",
            "hello\n",
        ] {
            let log = format!("{begin}{last}processed 1 insns (limit 1000000)");
            assert!(!is_rejection(&log), "{last}");
        }
    }
}
