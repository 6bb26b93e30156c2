//! Which of the last lines of a log is the reason, and which class of errors it belongs to.

use crate::scan::{Log, Said};
use crate::table::Found;
use crate::template::{Role, register_length};

/// The reason of a rejection, as the log words it.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The class' name; `None` where nobody has explained this message.
    pub class: Option<&'static str>,
    /// The decisive line first, then the one that says more about it.
    pub lines: Vec<Message>,
    /// The register that the message names.
    pub register: Option<u8>,
}

/// A line of the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Message {
    /// Number of the line in the input, from 1.
    pub line: usize,
    pub text: String,
}

/// The reason that a log gives; `None` if it shows no rejection.
pub fn reason(log: &Log) -> Option<Reason> {
    let known = of_role(&log.last, &[Role::Error, Role::Unexplained]);
    let details = of_role(&log.last, &[Role::Detail]);
    if let Some((main, cause)) = main(&known).and_then(|main| Some((main, cause(log, main)?))) {
        return Some(explained(log, &known, &cause, Some(main)));
    }
    match (main(&known), details.last()) {
        (Some(main), detail) => Some(explained(
            log,
            &known,
            main,
            detail.or(known.iter().find(|other| other.said.line != main.said.line)),
        )),
        (None, Some(detail)) => Some(explained(log, &details, detail, None)),
        (None, None) => exceeded(log)
            .or_else(|| decoy(log))
            .or_else(|| unknown(log)),
    }
}

/// Linux 6.12 and 6.18 refuse a function for what it returns where it is called, one line after
/// they said so.
fn cause<'a>(log: &'a Log, main: &Hit<'_>) -> Option<Hit<'a>> {
    let decoys = of_role(&log.last, &[Role::Decoy]);
    let is_cause = |hit: &Hit<'_>| hit.found.template.class == "global-func-return";
    decoys
        .into_iter()
        .find(is_cause)
        .filter(|_| main.found.template.class == "global-func-arg")
}

/// The last message is the reason; where several say the same, the first one has the numbers.
fn main<'a, 'b>(known: &'b [Hit<'a>]) -> Option<&'b Hit<'a>> {
    let class = known.last()?.found.template.class;
    known.iter().find(|hit| hit.found.template.class == class)
}

/// A known message with the line that it stands in.
#[derive(Clone, Copy)]
struct Hit<'a> {
    said: &'a Said,
    found: &'a Found,
}

impl Hit<'_> {
    fn text(&self) -> &str {
        let text = self.said.text.get(self.found.start..).unwrap_or_default();
        trimmed(text)
    }

    fn message(&self) -> Message {
        Message {
            line: self.said.line,
            text: whole(self).to_owned(),
        }
    }
}

/// The message as it is shown: from its first word on, without what a loader put before and behind
/// it.
fn whole<'a>(hit: &'a Hit<'_>) -> &'a str {
    let before = &hit.said.text[..hit.found.start];
    if let Some(quoted) = before
        .chars()
        .next_back()
        .and_then(|quote| within(hit.text(), quote))
    {
        return quoted;
    }
    // `func()` of "func() is not a global function", `BPF_EXIT instruction in main prog` of "...
    // cannot be used".
    let is_subject =
        !before.contains(": ") && before.len() < 80 && !hit.found.template.is_about_register();
    let margin = |letter: char| !letter.is_alphanumeric() && letter != '(' && letter != '_';
    let subject = if is_subject {
        before.trim_start_matches(margin)
    } else {
        ""
    };
    let cut = hit.said.text.len() - hit.found.start + subject.len();
    let text = hit
        .said
        .text
        .get(hit.said.text.len() - cut..)
        .unwrap_or_default();
    trimmed(text)
}

/// A message in quotation marks ends with them, if it has none of its own.
fn within(text: &str, quote: char) -> Option<&str> {
    let is_mark = matches!(quote, '"' | '`');
    text.split_once(quote)
        .filter(|_| is_mark)
        .map(|(quoted, _)| quoted)
}

/// Without cilium's "(12 line(s) omitted)" and what ends a quotation, and without a second message.
fn trimmed(text: &str) -> &str {
    // The end of an element in a web page.
    let text = text.split_once("</").map_or(text, |(text, _)| text);
    let end = [" (truncated", " line(s) omitted"]
        .iter()
        .filter_map(|tail| text.find(tail))
        .min();
    let text = end.map_or(text, |end| &text[..end]);
    let text = text
        .rfind(" (")
        .filter(|_| end.is_some())
        .map_or(text, |open| text[..open].trim_end());
    let text = second_message(text).map_or(text, |at| &text[..at]);
    // The end of a quotation: `" subsys=datapath-loader`.
    let text = text
        .find("\" ")
        .filter(|&at| text[at..].contains('='))
        .map_or(text, |at| &text[..at]);
    text.trim_end_matches(['"', '`', '\\', ',', ' '])
}

/// Where a loader has joined the next line with a colon: `...size=1: R1 max value ...`.
fn second_message(text: &str) -> Option<usize> {
    text.match_indices(": ").map(|(at, _)| at).find(|at| {
        register_length(&text[at + 2..])
            .is_some_and(|length| text[at + 2 + length..].starts_with(' '))
    })
}

fn of_role<'a>(said: &'a [Said], roles: &[Role]) -> Vec<Hit<'a>> {
    let hits = |said: &'a Said| said.found.iter().map(move |found| Hit { said, found });
    said.iter()
        .flat_map(hits)
        .filter(|hit| hit.found.from_kernel && roles.contains(&hit.found.role()))
        .collect()
}

fn explained(log: &Log, all: &[Hit<'_>], main: &Hit<'_>, other: Option<&Hit<'_>>) -> Reason {
    let mut lines = vec![main.message()];
    lines.extend(other.map(Hit::message).filter(|line| *line != lines[0]));
    let register = all
        .iter()
        .rev()
        .chain(other)
        .find_map(|hit| register(hit.text()));
    let class = refined(main.found.template.class, main.text(), log);
    let class = (main.found.role() != Role::Unexplained).then_some(class);
    Reason {
        class,
        lines,
        register,
    }
}

/// Where the message is missing, the count tells that the program was too much.
fn exceeded(log: &Log) -> Option<Reason> {
    let lines = vec![log.exceeded.clone()?];
    Some(Reason {
        class: Some("complexity-insns"),
        lines,
        register: None,
    })
}

/// What is printed for good programs too is the reason only where the verifier got no further.
fn decoy(log: &Log) -> Option<Reason> {
    let decoys = of_role(&log.last, &[Role::Decoy]);
    let main = decoys.last()?;
    let went_on = log.insns > 0 || log.processed.is_some_and(|count| count > 0);
    (!went_on).then(|| explained(log, &decoys, main, None))
}

/// The line after the last instruction, where it is nothing that a good program's log has.
fn unknown(log: &Log) -> Option<Reason> {
    let is_unknown = |said: &&Said| said.found.is_empty() && is_like_a_message(&said.text);
    let said = log.last.iter().find(is_unknown)?;
    // Without an end, what follows may be anything that someone wrote below.
    let is_inside = log.processed.is_some() || log.insns > 0;
    let line = Message {
        line: said.line,
        text: trimmed(&said.text).to_owned(),
    };
    is_inside.then(|| Reason {
        class: None,
        register: register(&line.text),
        lines: vec![line],
    })
}

fn is_like_a_message(text: &str) -> bool {
    let statistics = [
        "verification time",
        "stack depth",
        "insns_",
        "mark_precise",
        "regs=",
        "parent ",
    ];
    text.split_whitespace().count() >= 2 && !statistics.iter().any(|word| text.starts_with(word))
}

/// The first register that a message names.
fn register(text: &str) -> Option<u8> {
    let starts = text.match_indices('R').map(|(at, _)| at);
    let number = |at: usize| {
        let length = register_length(&text[at..])?;
        let is_word = text[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric());
        text[at + 1..at + length]
            .parse()
            .ok()
            .filter(|number| is_word && *number <= 11)
    };
    starts.filter_map(number).next()
}

/// Where one message has several causes, its numbers and names tell which.
fn refined(class: &'static str, text: &str, log: &Log) -> &'static str {
    match class {
        "map-value-bounds" | "mem-bounds" | "packet-bounds" | "helper-size-zero"
            if text.contains(" size=0") =>
        {
            "helper-size-zero"
        }
        "stack-bounds" | "uninit-stack" => stack(class, text),
        "scalar-deref" => dereferenced(text, log),
        "helper-arg-type"
            if text.contains("expected=trusted_ptr_") || text.contains("expected=rcu_ptr_") =>
        {
            "rcu-or-trusted"
        }
        "helper-not-allowed" => missing_function(text),
        "kfunc-missing" if text.contains("__bpf_trap") => "bpf-trap-and-pointer-merge",
        "ctx-modified" if !text.contains("ctx") => "modified-pointer",
        "return-range" if text.contains("callback") => "callbacks",
        "sleepable-context" if text.contains("LD_[ABS") => "ld-abs",
        "lock-rules" if text.contains("tail_call") => "tail-call-rules",
        _ => class,
    }
}

/// Within the 512 bytes of the stack, only what was never written cannot be read.
fn stack(class: &'static str, text: &str) -> &'static str {
    let after = |name: &str| text.split(name).nth(1).and_then(leading_number);
    let (Some(offset), Some(size)) = (after("off="), after("size=")) else {
        return class;
    };
    match (offset, size) {
        (_, 0) => "helper-size-zero",
        _ if text.contains("write") => "stack-bounds",
        _ if offset >= -512 && offset + size <= 0 => "uninit-stack",
        _ => "stack-bounds",
    }
}

fn leading_number(text: &str) -> Option<i64> {
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'-')
        .count();
    text[..length].parse().ok()
}

/// `R1 invalid mem access 'map_value_or_null'`: the name in quotation marks says what was no
/// memory.
fn dereferenced(text: &str, log: &Log) -> &'static str {
    let kind = text.split('\'').nth(1).unwrap_or_default();
    match kind {
        "mem_or_null" if log.is_in_global_function() => "global-func-arg",
        _ if kind.contains("or_null") => "map-value-or-null",
        "inv" | "invP" | "scalar" | "imm" | "unknown" | "UNKNOWN" | "" => "scalar-deref",
        _ => "pointer-deref",
    }
}

/// libbpf marks what it could not find with numbers that no helper has.
fn missing_function(text: &str) -> &'static str {
    let number = text
        .rsplit(['#', ' '])
        .next()
        .and_then(leading_number)
        .unwrap_or_default();
    match number {
        195_896_080 => "core-relo",
        2_001_000_000..=2_001_999_999 => "missing-map",
        2_002_000_000..=2_002_999_999 => "kfunc-missing",
        _ => "helper-not-allowed",
    }
}

#[cfg(test)]
mod tests {
    use crate::scan::scan;

    fn class(log: &str) -> Option<&'static str> {
        let scan = scan(log.as_bytes());
        scan.logs
            .iter()
            .find_map(super::reason)
            .and_then(|reason| reason.class)
    }

    fn lines(log: &str) -> Vec<String> {
        let scan = scan(log.as_bytes());
        let reason = scan.logs.iter().find_map(super::reason).unwrap();
        reason.lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_line_after_the_last_instruction_decides() {
        let log = "R1 type=ctx expected=fp\n0: R1=ctx() R10=fp0\n0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
        assert_eq!(class(log), Some("uninit-reg"));
        let accepted = "R1 type=ctx expected=fp\n0: (b7) r0 = 0\n1: (95) exit\nprocessed 2 insns (limit 1000000)";
        assert_eq!(class(accepted), None);
    }

    #[test]
    fn two_lines_are_one_error() {
        let log = "8: (71) r0 = *(u8 *)(r1 +23)\ninvalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)\n\
                   R1 offset is outside of the packet\nprocessed 9 insns (limit 1000000)";
        assert_eq!(class(log), Some("packet-bounds"));
        assert_eq!(lines(log).len(), 2);
        let log = "5: (85) call pc+2\nR1 type=ctx expected=fp\nCaller passes invalid args into func#1\nprocessed 5 insns";
        assert_eq!(class(log), Some("global-func-arg"));
        assert_eq!(
            lines(log),
            [
                "Caller passes invalid args into func#1",
                "R1 type=ctx expected=fp"
            ]
        );
    }

    #[test]
    fn a_function_that_returns_nothing_is_not_about_its_arguments() {
        let log = "1: (85) call pc+2\nGlobal function gv() doesn't return scalar. Only those are supported.\n\
                   Caller passes invalid args into func#1 ('gv')\nprocessed 2 insns (limit 1000000)";
        assert_eq!(class(log), Some("global-func-return"));
    }

    #[test]
    fn an_error_in_the_instructions_own_line() {
        let log = "load program: permission denied: 127: (61) r9 = *(u32 *)(r1 +0): R1 invalid mem access \
                   'map_value_or_null' (183 line(s) omitted)";
        assert_eq!(class(log), Some("map-value-or-null"));
        assert_eq!(lines(log), ["R1 invalid mem access 'map_value_or_null'"]);
    }

    #[test]
    fn a_decoy_decides_only_where_nothing_follows() {
        let decoy = "arg#0 reference type('FWD pt_regs') size cannot be determined: -22\n";
        assert_eq!(
            class(&format!("{decoy}processed 0 insns (limit 1000000)")),
            Some("global-func-arg")
        );
        assert_eq!(
            class(&format!("{decoy}processed 7 insns (limit 1000000)")),
            None
        );
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
        assert_eq!(class(summary), Some("complexity-insns"));
        assert_eq!(
            class(&format!("0: (95) exit\n{summary}")),
            Some("complexity-insns")
        );
        assert_eq!(
            class(&format!("0: (95) exit\nR0 !read_ok\n{summary}")),
            Some("uninit-reg")
        );
        assert_eq!(
            class("processed 131073 insns, stack depth 0"),
            Some("complexity-insns"),
            "Linux 4.19"
        );
        assert_eq!(
            class("0: (95) exit\nprocessed 1000000 insns (limit 1000000)"),
            None
        );
    }

    #[test]
    fn numbers_tell_the_class() {
        let class = |message: &str| {
            class(&format!(
                "0: (95) exit\n{message}\nprocessed 1 insns (limit 1000000)"
            ))
            .unwrap()
        };
        assert_eq!(
            class("invalid read from stack R10 off=-32 size=8"),
            "uninit-stack"
        );
        assert_eq!(
            class("invalid read from stack R10 off=-520 size=8"),
            "stack-bounds"
        );
        assert_eq!(
            class("invalid write to stack R10 off=-520 size=8"),
            "stack-bounds"
        );
        assert_eq!(
            class("invalid indirect access to stack R2 off=-8 size=0"),
            "helper-size-zero"
        );
        assert_eq!(
            class("invalid access to map value, value_size=16 off=0 size=0"),
            "helper-size-zero"
        );
        assert_eq!(class("invalid func unknown#195896080"), "core-relo");
        assert_eq!(class("invalid func unknown#2002000001"), "kfunc-missing");
        assert_eq!(class("invalid func unknown#211"), "helper-not-allowed");
        assert_eq!(class("invalid func 2001000000"), "missing-map");
        assert_eq!(
            class("R1 invalid mem access 'rcu_ptr_or_null_'"),
            "map-value-or-null"
        );
        assert_eq!(class("R1 invalid mem access 'map_ptr'"), "pointer-deref");
    }

    #[test]
    fn what_stands_around_a_message_is_left_out() {
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
        let patch = "0: (95) exit\n+  dereference of modified ctx ptr R3 off=8 disallowed\nprocessed 1 insns";
        assert_eq!(
            lines(patch),
            ["dereference of modified ctx ptr R3 off=8 disallowed"]
        );
    }

    #[test]
    fn a_message_of_a_kernel_to_come_is_unknown() {
        let log = "0: (95) exit\nthe moon is in the wrong phase\nprocessed 1 insns (limit 1000000)";
        assert_eq!(class(log), None);
        assert_eq!(lines(log), ["the moon is in the wrong phase"]);
    }
}
