//! `explain`: a verifier log as an explanation.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use course::{Implementation, entry};
use problem::{Exit, Problem, find_similar};
use serde::Serialize;
use bpf_verifier_log::{Class, ExplainedProgram, Explanation, LogVerdict, UnknownClass, clean_text};

use crate::commands::check;
use crate::output::indent::indent_lines;
use crate::output::screen;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::forbidden::{ForbiddenCallJson, LineReport, SiteJson};
use crate::pipeline::rejection::{self, Rejection};

/// What to explain.
pub struct ExplainOptions {
    pub subject: Subject,
    pub json: bool,
}

pub enum Subject {
    /// A class of errors, by its name; `all` lists them.
    Class(String),
    /// The answer that the verifier rejected at the last check.
    LastRejection,
    /// The lines of an object file that no kernel accepts.
    Object(PathBuf),
    /// A log, and what its object file tells about it.
    Log {
        /// `-` is standard input.
        file: PathBuf,
        object: Option<PathBuf>,
    },
}

pub fn explain_rejection(options: &ExplainOptions) -> Result<Exit> {
    let json = options.json;
    match &options.subject {
        Subject::Class(name) => code(name, json),
        Subject::LastRejection => show_last(json),
        Subject::Object(object) => object_alone(&LineReport::read_object(object, None)?, json),
        Subject::Log { file, object } => {
            let log = read(file)?;
            let lines = lines_of(object.as_deref(), &log)?;
            show(&bpf_verifier_log::explain_log(&log), None, &lines, json)
        }
    }
}

fn show_last(json: bool) -> Result<Exit> {
    let rejection = rejection::last_rejection()?.ok_or_else(nothing_rejected)?;
    let kept = rejection::object_file();
    let object = kept.exists().then_some(kept.as_path());
    let lines = lines_of(object, rejection.log.as_bytes())?;
    show(
        &bpf_verifier_log::explain_log(rejection.log.as_bytes()),
        Some(&rejection),
        &lines,
        json,
    )
}

fn nothing_rejected() -> Problem {
    Problem::usage("the verifier rejected no answer at the last check")
        .help("check one: cargo xtask check")
        .help("a log of another program: cargo xtask explain FILE")
}

/// What the object file tells about a program that was rejected with this log.
fn lines_of(object: Option<&Path>, log: &[u8]) -> Result<LineReport, Problem> {
    object.map_or_else(
        || Ok(LineReport::default()),
        |object| LineReport::read_object(object, Some(log)),
    )
}

fn show(
    report: &Explanation,
    rejection: Option<&Rejection>,
    lines: &LineReport,
    json: bool,
) -> Result<Exit> {
    let text = match (json, rejection) {
        (true, _) => as_json(report, rejection, lines)?,
        (false, Some(rejection)) => answer_as_text(rejection) + "\n" + &as_text(report, lines),
        (false, None) => as_text(report, lines),
    };
    screen::write_verdict(text.as_bytes())?;
    Ok(if report.verdict == LogVerdict::Explained {
        Exit::Done
    } else {
        Exit::NotYet
    })
}

/// What an object file tells without a log.
fn object_alone(lines: &LineReport, json: bool) -> Result<Exit> {
    let text = match (json, lines.calls.is_empty()) {
        (true, _) => {
            let forbidden_calls = lines.as_json();
            pretty(&ObjectJson {
                version: 1,
                forbidden_calls,
            })?
        }
        (false, true) => NO_FORBIDDEN_CALL.to_owned(),
        (false, false) => lines.as_text(),
    };
    screen::write_verdict(text.as_bytes())?;
    Ok(if lines.calls.is_empty() {
        Exit::NotYet
    } else {
        Exit::Done
    })
}

/// Twice of what any kernel's log can be; more would fill the memory.
const LARGEST: u64 = 512 * 1024 * 1024;

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut log = Vec::new();
    let size = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            screen::show_note("paste the log, then press Ctrl-D on an empty line");
        }
        io::stdin()
            .lock()
            .take(LARGEST)
            .read_to_end(&mut log)
            .context("cannot read standard input")?
    } else {
        let open = File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut log));
        open.map_err(|error| unreadable(file, &error))?
    };
    if size as u64 == LARGEST {
        return Err(Problem::usage("the log is larger than 512 MB")
            .help("its end is what counts: tail -c 100M FILE | cargo xtask explain -")
            .into());
    }
    Ok(log)
}

fn unreadable(file: &Path, error: &io::Error) -> Problem {
    let name = clean_text(file.as_os_str().as_encoded_bytes(), false).into_owned();
    Problem::usage(format!("cannot read '{name}': {error}"))
        .help("a log from standard input: cargo xtask explain -")
        .help("a class of errors without a log: cargo xtask explain --code all")
}

/// A class by its name.
fn code(name: &str, json: bool) -> Result<Exit> {
    let text = match (name, name.parse::<Class>()) {
        ("all", _) if json => pretty(&ClassesJson {
            version: 1,
            classes: Class::ALL.to_vec(),
        })?,
        ("all", _) => Class::ALL
            .iter()
            .map(|class| format!("{:<28} {}\n", class.slug(), class.title()))
            .collect(),
        (_, Ok(class)) if json => pretty(&ClassJson { version: 1, class })?,
        (_, Ok(class)) => format!("{}: {}\n{}", class.slug(), class.title(), advice(class)),
        (_, Err(error)) => return Err(no_class(&error).into()),
    };
    screen::write_answer(text.as_bytes())?;
    Ok(Exit::Done)
}

fn no_class(error: &UnknownClass) -> Problem {
    let slugs = Class::ALL.iter().map(|class| (class.slug(), class.slug()));
    let problem = Problem::usage(error.to_string());
    let problem = match find_similar(&error.0, slugs) {
        Some(slug) => problem.help(format!(
            "a similar one exists: cargo xtask explain --code {slug}"
        )),
        None => problem,
    };
    problem.help("all classes: cargo xtask explain --code all")
}

/// Which answer the log is about.
fn answer_as_text(rejection: &Rejection) -> String {
    let Rejection {
        exercise,
        implementation,
        kernel,
        when,
        ..
    } = rejection;
    // A clock that was set back makes it new.
    let ago = Duration::from_secs(when.elapsed().unwrap_or_default().as_secs());
    let facts = [
        ("answer", format!("{exercise}, {implementation}")),
        ("kernel", check::name_place(kernel)),
        (
            "checked",
            format!("{} ago", humantime::format_duration(ago)),
        ),
        (
            "log",
            format!(
                "{}   (the book's explorer steps through it)",
                course_path(&rejection::log_file())
            ),
        ),
    ];
    facts
        .map(|(name, fact)| format!("{name:<13} {fact}\n"))
        .concat()
}

/// What `explain --json` prints about a log; `explain --help` tells the fields.
#[derive(Serialize)]
struct ExplanationJson<'a> {
    version: u32,
    verdict: LogVerdict,
    answer: Option<RejectedAnswerJson<'a>>,
    programs: Vec<ProgramJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forbidden_calls: Vec<ForbiddenCallJson>,
}

/// What `--object` alone prints.
#[derive(Serialize)]
struct ObjectJson {
    version: u32,
    forbidden_calls: Vec<ForbiddenCallJson>,
}

/// What `--code NAME` prints.
#[derive(Serialize)]
struct ClassJson {
    version: u32,
    class: Class,
}

/// What `--code all` prints.
#[derive(Serialize)]
struct ClassesJson {
    version: u32,
    classes: Vec<Class>,
}

/// With `--last`: whose log it is.
#[derive(Serialize)]
struct RejectedAnswerJson<'a> {
    exercise: &'a str,
    implementation: Implementation,
    kernel: &'a str,
    checked: String,
    log: String,
}

#[derive(Serialize)]
struct ProgramJson<'a> {
    #[serde(flatten)]
    program: &'a ExplainedProgram,
    gallery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<SiteJson>,
}

fn as_json(
    report: &Explanation,
    rejection: Option<&Rejection>,
    lines: &LineReport,
) -> Result<String> {
    let mut programs: Vec<ProgramJson<'_>> = report
        .programs
        .iter()
        .map(|program| ProgramJson {
            program,
            gallery: program.class.and_then(|class| entry_of(class.slug())),
            site: None,
        })
        .collect();
    // What the object tells is about the first program.
    if let Some(first) = programs.first_mut() {
        first.site = lines.site_as_json();
    }
    pretty(&ExplanationJson {
        version: 1,
        verdict: report.verdict,
        answer: rejection.map(RejectedAnswerJson::new),
        programs,
        forbidden_calls: lines.as_json(),
    })
}

impl<'a> RejectedAnswerJson<'a> {
    fn new(rejection: &'a Rejection) -> Self {
        Self {
            exercise: &rejection.exercise,
            implementation: rejection.implementation,
            kernel: &rejection.kernel,
            checked: humantime::format_rfc3339_seconds(rejection.when).to_string(),
            log: course_path(&rejection::log_file()),
        }
    }
}

fn pretty(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).context("cannot write JSON")? + "\n")
}

/// The gallery's entry about this class: the one of its name, or else one that says it belongs
/// there.
fn entry_of(slug: &str) -> Option<String> {
    let entries = entry::read_entries().ok()?;
    let named = entries.iter().find(|entry| entry.name == slug);
    let belonging = || {
        entries
            .iter()
            .find(|entry| entry.about.class.as_deref() == Some(slug))
    };
    named.or_else(belonging).map(|entry| entry.name.clone())
}

/// For people. What the object tells is about the first program.
pub fn as_text(report: &Explanation, lines: &LineReport) -> String {
    match report.verdict {
        LogVerdict::NoLog => NO_LOG.to_owned(),
        LogVerdict::NoRejection => no_rejection(&report.programs),
        LogVerdict::Explained | LogVerdict::Unknown => rejections(&report.programs, lines),
    }
}

fn rejections(programs: &[ExplainedProgram], lines: &LineReport) -> String {
    let (rejected, others): (Vec<_>, Vec<_>) = programs
        .iter()
        .partition(|program| program.verdict != LogVerdict::NoRejection);
    let nothing = LineReport::default();
    let lines = iter::once(lines).chain(iter::repeat(&nothing));
    let rejections = rejected
        .iter()
        .zip(lines)
        .map(|(program, lines)| rejection(program, lines));
    let mut text = rejections.collect::<Vec<_>>().join(SEPARATOR);
    if !others.is_empty() {
        text += &format!(
            "\nlogs without a rejection, in the same text: {}\n",
            others.len()
        );
    }
    text
}

fn rejection(program: &ExplainedProgram, lines: &LineReport) -> String {
    let headline = program
        .message()
        .unwrap_or_else(|| "the verifier's log ends without an error".to_owned());
    let advice = program.class.map_or_else(|| UNKNOWN.to_owned(), advice);
    format!(
        "{headline}\n\n{}{}{}{advice}",
        facts(program),
        from_object(lines),
        knowledge(program)
    )
}

/// What the object file tells of the place.
fn from_object(lines: &LineReport) -> String {
    let mut text = String::new();
    if let Some(site) = lines.site_as_text() {
        text += &format!(
            "\nthe line of your source that it comes from\n{}",
            indent_lines(&site, 2)
        );
    }
    if !lines.calls.is_empty() {
        text += &format!(
            "\nwhat the object file tells\n{}",
            indent_lines(&lines.as_text(), 2)
        );
    }
    text
}

/// What the log says about the place.
fn facts(program: &ExplainedProgram) -> String {
    let source = program
        .source
        .as_ref()
        .map(|source| match (&source.file, source.line) {
            (Some(file), Some(line)) => format!("{}   {file}:{line}", source.text),
            _ => source.text.clone(),
        });
    let facts = [
        (
            "class",
            program
                .class
                .map(|class| format!("{}: {}", class.slug(), class.title())),
        ),
        ("program", program.name.clone()),
        (
            "instruction",
            program
                .insn
                .as_ref()
                .map(|insn| format!("{}: {}", insn.pc, insn.text)),
        ),
        ("source", source.filter(|text| !text.is_empty())),
        (
            "in the log",
            program
                .messages
                .first()
                .map(|message| format!("line {}", message.line)),
        ),
        (
            "cut",
            program
                .truncated
                .then(|| "a part of the log is missing".to_owned()),
        ),
    ];
    let lines = facts
        .into_iter()
        .filter_map(|(name, fact)| Some(format!("{name:<13} {}\n", fact?)));
    lines.collect()
}

fn knowledge(program: &ExplainedProgram) -> String {
    let mut text = String::new();
    if !program.finding.known.is_empty() {
        text += &section("what the verifier knew", &program.finding.known.join("\n"));
    }
    if let Some(missing) = &program.finding.missing {
        text += &section("what was missing", missing);
    }
    if let Some(diagnosis) = &program.diagnosis {
        let words = [diagnosis.reason.as_str(), diagnosis.suggestion.as_str()].join("\n");
        text += &section("what the kernel itself says", words.trim());
    }
    text
}

fn advice(class: Class) -> String {
    let about = class.text();
    let mut text = section("the rule", about.rule)
        + &section("fix in C", about.fix_c)
        + &section("fix in Rust", about.fix_rust);
    if let Some(entry) = entry_of(class.slug()) {
        text += &format!("\ngallery: cargo xtask gallery {entry}\n");
    }
    text
}

/// Wide enough for a line of code, and narrow enough to read.
const WIDTH: usize = 96;

fn section(title: &str, text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent("  ")
        .subsequent_indent("  ")
        .break_words(false);
    format!("\n{title}\n{}\n", textwrap::fill(text, options))
}

fn no_rejection(programs: &[ExplainedProgram]) -> String {
    let mut text = String::from("no rejection: the verifier's log ends without an error\n\n");
    for program in programs {
        let name = program.name.as_deref().unwrap_or("a program");
        let count = program
            .processed
            .map_or("its end is missing".to_owned(), |count| {
                format!("{count} instructions processed")
            });
        text += &format!("  {name}: {count}\n");
    }
    text + NO_REJECTION
}

const SEPARATOR: &str =
    "\n--------------------------------------------------------------------------------\n\n";

const UNKNOWN: &str = "
this message is not known here, so there is no explanation that would surely be right
  It is the line that the log ends with. Its words in the kernel's source (kernel/bpf/verifier.c)
  say more.
";

const NO_FORBIDDEN_CALL: &str = "\
no line of this object can panic, call through a pointer, or call a function that is not defined
";

const NO_REJECTION: &str = "
If loading failed all the same, the log may be cut before its error, or the reason is not the
verifier's: see what the loader says about the system call's error.
";

const NO_LOG: &str = "no verifier log: nothing in this text looks like one

A log has lines like these; loaders print it when a program is rejected:
  12: (69) r1 = *(u16 *)(r1 +12)
  R1 invalid mem access 'scalar'
  processed 13 insns (limit 1000000) ...
With libbpf, set a print function; with aya, print the whole error: `{:?}` of an anyhow error, or
`LoadError`'s `verifier_log`; with cilium/ebpf, `%+v` of the VerifierError.
";

/// Of the newest kernel, which tells the most.
#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let logs = checkout::workspace::workspace_root().join("xtask/bpf-verifier-log/tests/logs");
    let log = std::fs::read(logs.join("index-7.3.log"))?;
    let rejection = Rejection {
        exercise: "03/count-by-comm".to_owned(),
        implementation: Implementation::Aya,
        kernel: "6.12".to_owned(),
        when: std::time::SystemTime::UNIX_EPOCH,
        log: String::new(),
    };
    let report = bpf_verifier_log::explain_log(&log);
    as_json(&report, Some(&rejection), &LineReport::sample())
}
