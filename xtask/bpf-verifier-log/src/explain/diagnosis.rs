//! The report that Linux 7.3 adds to a rejection, below the classic line:
//!
//! ```text
//! Verification failed: Register Type Safety: Invalid dereference
//!
//! Reason:
//!   R0 may be NULL here ...
//!
//! At:
//!   family @ deref.c:7:13
//!   Source context:
//!   >>> 7 |         return sk->family;
//!         |         ^-- error: invalid dereference of R0 (a nullable map value pointer)
//!   Instruction context:
//!   >>> 1 | (69) r0 = *(u16 *)(r0 +16)
//!
//! Causal path:
//!   ...
//!
//! Suggestion:
//!   Add a NULL check before the access ...
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::log::insn::Insn;
use crate::log::step::SourceLine;

/// The report's parts, without what a loader or a mail put before each line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Diagnosis {
    /// `Register Type Safety`
    pub category: String,
    /// `Invalid dereference`; empty if the report has only a category.
    pub problem: String,
    /// Why, in a sentence or two; empty where the report has no reason.
    pub reason: String,
    /// `family @ deref.c:7:13`, or `insn 7` where the program has no source lines.
    pub place: String,
    /// The source lines and instructions around the place.
    pub context: Vec<String>,
    /// How the values came about, with the source lines and instructions of each event.
    pub causal_path: Vec<String>,
    /// What to do; empty where the report has no suggestion.
    pub suggestion: String,
}

impl Diagnosis {
    pub(crate) fn read_diagnosis(lines: &[String]) -> Option<Self> {
        let (title, rest) = lines.split_first()?;
        let title = title.split_once(TITLE)?.1;
        let (category, problem) = title.split_once(": ").unwrap_or((title, ""));
        let sections = read_sections(rest);
        let lines_of = |name: &str| find_section(&sections, name).unwrap_or_default();
        let (place, context) = match lines_of("At").split_first() {
            Some((place, context)) => (place.trim().to_owned(), context.to_vec()),
            None => (String::new(), Vec::new()),
        };
        Some(Self {
            category: category.trim().to_owned(),
            problem: problem.trim_matches([' ', '"', '`', '*']).to_owned(),
            reason: join_lines(lines_of("Reason")),
            place,
            context,
            causal_path: lines_of("Causal path").to_vec(),
            suggestion: join_lines(lines_of("Suggestion")),
        })
    }

    /// Other programs verify things too, and say in the same words that it failed.
    pub(crate) fn is_verifiers(&self) -> bool {
        const CATEGORIES: [&str; 8] = [
            "Register Type Safety",
            "Memory Safety",
            "Resource Lifetime Safety",
            "Call Type Safety",
            "Execution Context Safety",
            "Program Structure",
            "Policy",
            "Verifier Error",
        ];
        let has_sections = !self.reason.is_empty() || !self.suggestion.is_empty();
        has_sections || CATEGORIES.contains(&self.category.as_str())
    }

    /// The refused instruction: `>>> 1 | (69) r0 = *(u16 *)(r1 +16)`.
    pub(crate) fn find_insn(&self) -> Option<Insn> {
        self.marked_lines().find_map(|(number, text)| {
            let (opcode, text) = text.strip_prefix('(')?.split_once(") ")?;
            let opcode = u8::from_str_radix(opcode, 16).ok()?;
            Some(Insn::new(number, opcode, text))
        })
    }

    /// The source line of the refused instruction.
    pub(crate) fn find_source(&self) -> Option<SourceLine> {
        let (_, place) = self.place.rsplit_once("@ ").unwrap_or(("", &self.place));
        let (place, _column) = place.rsplit_once(':')?;
        let (file, line) = place.rsplit_once(':')?;
        let line = line.parse().ok()?;
        let of_line = |(number, text): (u32, &str)| {
            (number == line && !text.starts_with('(')).then(|| text.to_owned())
        };
        Some(SourceLine {
            text: self.marked_lines().find_map(of_line)?,
            file: Some(file.to_owned()),
            line: Some(line),
        })
    }

    /// The lines of the context that `>>>` marks, as their number and their text. Before its
    /// release, 7.3 printed source lines and instructions beside each other.
    fn marked_lines(&self) -> impl Iterator<Item = (u32, &str)> {
        let marked = self
            .context
            .iter()
            .flat_map(|line| line.split(">>> ").skip(1));
        marked.filter_map(|marked| {
            let (number, text) = marked.split_once('|')?;
            Some((number.trim().parse().ok()?, text.trim()))
        })
    }
}

/// The first line of a report begins with it.
pub const TITLE: &str = "Verification failed: ";

/// A part of the report: `Reason:` and what is below.
struct ReportSection<'a> {
    name: &'a str,
    lines: Vec<String>,
}

/// Cuts a report into its sections.
fn read_sections(lines: &[String]) -> Vec<ReportSection<'_>> {
    let mut sections: Vec<ReportSection<'_>> = Vec::new();
    let margin = find_margin(lines);
    let mut after_blank = false;
    for line in lines {
        let text = cut_margin(line, margin);
        if let Some((name, rest)) = find_heading(text) {
            let lines = if rest.is_empty() {
                Vec::new()
            } else {
                Vec::from([rest.to_owned()])
            };
            sections.push(ReportSection { name, lines });
            after_blank = false;
        } else if let Some(section) = sections.last_mut() {
            // After the suggestion, the text goes on with something else.
            if after_blank && !section.lines.is_empty() && !text.starts_with(' ') {
                if !text.trim().is_empty() {
                    break;
                }
            } else if !text.trim().is_empty() {
                section.lines.push(text.trim_end().to_owned());
            }
            after_blank = text.trim().is_empty();
        }
    }
    sections
}

fn find_section<'a>(sections: &'a [ReportSection<'_>], name: &str) -> Option<&'a [String]> {
    let section = sections.iter().find(|section| section.name == name)?;
    Some(&section.lines)
}

/// What comes before each line of the report: the blanks of a quotation, a loader's name, a time.
fn find_margin(lines: &[String]) -> &str {
    for line in lines {
        for name in SECTIONS {
            if let Some((before, after)) = line.split_once(name)
                && after.starts_with(':')
                && !before.ends_with(char::is_alphanumeric)
            {
                return before;
            }
        }
    }
    ""
}

/// A line without the margin, of which digits may differ: those of a time.
fn cut_margin<'a>(line: &'a str, margin: &str) -> &'a str {
    let is_like = |(one, other): (char, char)| {
        one == other || (one.is_ascii_digit() && other.is_ascii_digit())
    };
    let same = line.chars().zip(margin.chars()).all(is_like);
    match line.get(margin.len()..) {
        Some(rest) if same => rest,
        // An empty line may lack the blanks of the margin.
        _ => line.trim_start(),
    }
}

/// The sections that Linux 7.3 prints.
const SECTIONS: [&str; 5] = ["Reason", "At", "Active lock", "Causal path", "Suggestion"];

/// The name of the section that begins in this line, and what follows it there.
fn find_heading(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let is_known = SECTIONS.contains(&name);
    // A newer kernel may print others.
    let is_new = rest.trim().is_empty()
        && name.starts_with(char::is_uppercase)
        && name.split(' ').count() <= 3;
    (is_known || is_new).then_some((name, rest.trim()))
}

fn join_lines(lines: &[String]) -> String {
    let words: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const REPORT: [&str; 26] = [
        "Verification failed: Register Type Safety: Unreadable register",
        "",
        "Reason:",
        "  R2 is not",
        "  readable.",
        "",
        "At:",
        "  main @ prog.c:12:9",
        "  Source context:",
        "      11 | ...",
        "  >>> 12 |         return arg(2);",
        "         |         ^-- error: R2 is not readable",
        "  Instruction context:",
        "      0 | (bf) r6 = r1",
        "  >>> 1 | (bf) r0 = r2",
        "",
        "Causal path:",
        "  insn 0",
        "    | ^-- update: R6 changed",
        "",
        "Extra words:",
        "  of a newer kernel",
        "Suggestion:",
        "  Set it.",
        "",
        "And this was all.",
    ];

    fn read_report(lines: &[String]) -> Diagnosis {
        Diagnosis::read_diagnosis(lines).unwrap()
    }

    #[test]
    fn the_parts_of_a_report() {
        let report = read_report(&REPORT.map(str::to_owned));
        let parts = [
            &report.category,
            &report.problem,
            &report.reason,
            &report.suggestion,
        ];
        assert_eq!(
            parts,
            [
                "Register Type Safety",
                "Unreadable register",
                "R2 is not readable.",
                "Set it."
            ]
        );
        assert_eq!(report.place, "main @ prog.c:12:9");
        assert_eq!(
            report.causal_path,
            ["  insn 0", "    | ^-- update: R6 changed"]
        );
        let insn = report.find_insn().unwrap();
        assert_eq!(
            (insn.pc, insn.opcode, insn.text.as_str()),
            (1, 0xbf, "r0 = r2")
        );
        let source = report.find_source().unwrap();
        assert_eq!(
            (source.text.as_str(), source.line),
            ("return arg(2);", Some(12))
        );
        assert_eq!(Diagnosis::read_diagnosis(&[]), None);
    }

    #[test]
    fn what_is_before_each_line_is_no_part_of_it() {
        let plain = read_report(&REPORT.map(str::to_owned));
        for margin in [
            "    ",
            "> ",
            "| ",
            "libbpf: ",
            "Nov  1 12:00:07 host app[7]: ",
        ] {
            let mut number = 0;
            let lines = REPORT.map(|line| {
                number = (number + 1) % 10;
                format!("{}{line}", margin.replace('7', &format!("{number}")))
            });
            assert_eq!(read_report(&lines), plain, "{margin}");
        }
    }

    #[test]
    fn a_report_may_be_short() {
        let report = read_report(&["Verification failed: Verifier Error".to_owned()]);
        let expected = Diagnosis {
            category: "Verifier Error".to_owned(),
            ..Diagnosis::default()
        };
        assert_eq!(report, expected);
        assert_eq!((report.find_insn(), report.find_source()), (None, None));
    }

    #[test]
    fn source_and_instructions_may_be_beside_each_other() {
        let lines = [
            "Verification failed: A: B",
            "",
            "At:",
            "  entry @ case.c:25:2",
            "      24 | ...                              3 | (b7) r3 = 8",
            "  >>> 25 |         x = f(a);            >>> 4 | (85) call bpf_f#61800",
            "         |         ^-- error: invalid first argument",
        ];
        let report = read_report(&lines.map(str::to_owned));
        let insn = report.find_insn().unwrap();
        assert_eq!((insn.pc, insn.text.as_str()), (4, "call bpf_f#61800"));
        let source = report.find_source().unwrap();
        assert_eq!((source.text.as_str(), source.line), ("x = f(a);", Some(25)));
    }

    #[test]
    fn a_section_in_one_line() {
        let lines = [
            "Verification failed: A: B",
            "Reason: R1 is a scalar.",
            "Suggestion: None.",
        ];
        let report = read_report(&lines.map(str::to_owned));
        assert_eq!(report.reason, "R1 is a scalar.");
        assert_eq!(report.suggestion, "None.");
    }
}
