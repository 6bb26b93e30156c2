//! Which of the last lines of a log is the reason of the rejection.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_class::decide_class;
use crate::explain::message_text::{cut_message, trim_message};
use crate::grammar::table::FoundMessage;
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
}

/// The reason that a log gives; `None` if it shows no rejection.
pub fn decide_reason(log: &ProgramLog) -> Option<RejectionReason> {
    let errors = find_candidates(log, &[MessageRole::Error, MessageRole::Unexplained]);
    let details = find_candidates(log, &[MessageRole::Detail]);
    if let Some(main) = find_main(&errors) {
        if let Some(cause) = find_cause(log, main) {
            return Some(explain_candidate(log, &errors, &cause, Some(main)));
        }
        let in_other_line = |error: &&Candidate<'_>| error.line.line != main.line.line;
        let other = details.last().or(errors.iter().find(in_other_line));
        return Some(explain_candidate(log, &errors, main, other));
    }
    if let Some(detail) = details.last() {
        return Some(explain_candidate(log, &details, detail, None));
    }
    decide_by_limit(log)
        .or_else(|| decide_by_decoy(log))
        .or_else(|| decide_by_unknown_line(log))
}

/// A known message in one of the last lines.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    line: &'a MessageLine,
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
    for line in &log.last {
        for found in &line.found {
            if found.from_kernel && roles.contains(&found.message_role()) {
                candidates.push(Candidate { line, found });
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

/// Linux 6.12 and 6.18 refuse a function for what it returns where it is called, one line after
/// they said so.
fn find_cause<'a>(log: &'a ProgramLog, main: &Candidate<'_>) -> Option<Candidate<'a>> {
    if main.found.template.class != Some(Class::GlobalFuncArg) {
        return None;
    }
    let decoys = find_candidates(log, &[MessageRole::Decoy]);
    decoys
        .into_iter()
        .find(|decoy| decoy.found.template.class == Some(Class::GlobalFuncReturn))
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
    }
}

/// Where the message is missing, the count tells that the program was too much.
fn decide_by_limit(log: &ProgramLog) -> Option<RejectionReason> {
    let summary = log.exceeded.clone()?;
    Some(RejectionReason {
        class: Some(Class::ComplexityInsns),
        lines: vec![summary],
        register: None,
    })
}

/// What is printed for good programs too is the reason only where the verifier got no further.
fn decide_by_decoy(log: &ProgramLog) -> Option<RejectionReason> {
    let went_on = log.insns > 0 || log.processed.is_some_and(|count| count > 0);
    if went_on {
        return None;
    }
    let decoys = find_candidates(log, &[MessageRole::Decoy]);
    let main = decoys.last()?;
    Some(explain_candidate(log, &decoys, main, None))
}

/// The line after the last instruction, where it is nothing that a good program's log has.
fn decide_by_unknown_line(log: &ProgramLog) -> Option<RejectionReason> {
    // Without an end, what follows may be anything that someone wrote there.
    if log.processed.is_none() && log.insns == 0 {
        return None;
    }
    let is_unknown = |line: &&MessageLine| line.found.is_empty() && may_be_message(&line.text);
    let line = log.last.iter().find(is_unknown)?;
    let text = trim_message(&line.text).to_owned();
    Some(RejectionReason {
        class: None,
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
