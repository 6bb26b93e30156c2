//! What the object file tells about a program that was not accepted, and the verifier's log does
//! not: the lines that can panic, call through a pointer, or call what is not defined; and the
//! learner's line that a library's code comes from.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use bpf_verifier_log::report::SourcePlace;
use bpf_verifier_log::{ExplainedProgram, Insn, clean_text};
use checkout::workspace;
use forbidden_calls::{ForbiddenCall, ForbiddenKind, Object, SourceSite};
use problem::Problem;
use serde::Serialize;

/// What an object file tells.
#[derive(Default)]
pub struct LineReport {
    pub calls: Vec<ForbiddenCall>,
    /// The line written by hand that the refused instruction comes from.
    pub site: Option<SourceSite>,
    /// A source file that was changed later has other lines.
    built: Option<SystemTime>,
}

impl LineReport {
    /// The calls of one program, or without a name those of all. A file that cannot be read as an
    /// object tells nothing.
    pub fn of_object(object: &[u8], program: Option<&str>) -> Self {
        Object::parse(object).map_or_else(
            |_| Self::default(),
            |object| Self::of_program(&object, program),
        )
    }

    fn of_program(object: &Object<'_>, program: Option<&str>) -> Self {
        let programs = object
            .program_names()
            .filter(|name| program.is_none_or(|program| program == *name));
        let calls = programs
            .flat_map(|name| object.find_forbidden_calls(name))
            .collect();
        Self {
            calls,
            ..Self::default()
        }
    }

    /// Of a program that the verifier rejected with this log, which may have no name for it.
    pub fn of_rejection(object: &[u8], program: Option<&str>, log: &[u8]) -> Self {
        let Ok(object) = Object::parse(object) else {
            return Self::default();
        };
        let report = bpf_verifier_log::explain_log(log);
        let Some(rejected) = report.programs.first() else {
            return Self::of_program(&object, program);
        };
        let name = program_name(&object, program.or(rejected.name.as_deref()));
        let site = name
            .as_ref()
            .and_then(|name| find_own_site(&object, name, log, rejected));
        Self {
            site,
            ..Self::of_program(&object, name.as_deref())
        }
    }

    /// Of an object file, and the log that it was rejected with.
    pub fn read_object(path: &Path, log: Option<&[u8]>) -> Result<Self, Problem> {
        let name = clean_text(path.as_os_str().as_encoded_bytes(), false).into_owned();
        let object = fs::read(path).map_err(|error| {
            Problem::usage(format!("cannot read '{name}': {error}")).help(
                "--object takes the object file that was loaded: the .o that clang or cargo wrote",
            )
        })?;
        if let Err(why) = Object::parse(&object) {
            return Err(
                Problem::usage(format!("{name} is not an eBPF object file: {why}")).help(
                    "--object takes the object file that was loaded: the .o that clang or cargo \
                     wrote",
                ),
            );
        }
        let report = match log {
            Some(log) => Self::of_rejection(&object, None, log),
            None => Self::of_object(&object, None),
        };
        Ok(report.with_build_time(path))
    }

    #[cfg(test)]
    pub fn sample() -> Self {
        let site = SourceSite {
            file: "main.rs".to_owned(),
            line: 7,
            column: 1,
        };
        let call = ForbiddenCall {
            program: "count".to_owned(),
            kind: ForbiddenKind::Index,
            callee: None,
            site: Some(site.clone()),
        };
        Self {
            calls: vec![call],
            site: Some(site),
            built: None,
        }
    }

    /// With the time of the object file.
    pub fn with_build_time(self, object: &Path) -> Self {
        let built = fs::metadata(object).and_then(|about| about.modified()).ok();
        Self { built, ..self }
    }

    pub fn site_as_text(&self) -> Option<String> {
        self.site
            .as_ref()
            .map(|site| site_as_text(site, self.built))
    }

    /// As editors underline it.
    pub fn site_as_place(&self) -> Option<SourcePlace> {
        let site = self.site.as_ref()?;
        let text = source_line(site, self.built).unwrap_or_default();
        let text = clean_text(text.as_bytes(), false).into_owned();
        let mut place = SourcePlace::new(path_from_here(site), site.line, text);
        place.column = Some(site.column).filter(|column| *column > 0);
        Some(place)
    }

    /// Each call in a few lines: what it is, where, and what to write instead.
    pub fn as_text(&self) -> String {
        let mut text = String::new();
        for call in self.calls.iter().take(MOST) {
            text += &wrapped(&headline(call));
            text += &call
                .site
                .as_ref()
                .map_or(String::new(), |site| site_as_text(site, self.built));
            text += &wrapped(&format!("write instead: {}", call.kind.advice()));
        }
        let more = self.calls.len().saturating_sub(MOST);
        if more > 0 {
            text += &format!("and {more} more like these\n");
        }
        text
    }

    /// The fields are told in `check --help`, `verify --help` and `explain --help`.
    pub fn as_json(&self) -> Vec<ForbiddenCallJson> {
        self.calls.iter().map(ForbiddenCallJson::from).collect()
    }

    pub fn site_as_json(&self) -> Option<SiteJson> {
        self.site.as_ref().map(SiteJson::from)
    }
}

/// More than these are not read.
const MOST: usize = 5;

fn headline(call: &ForbiddenCall) -> String {
    let subject = if call.site.is_some() {
        "this line"
    } else {
        "a line of this program"
    };
    let reason = call.kind.reason();
    let callee =
        clean_text(call.callee.as_deref().unwrap_or_default().as_bytes(), false).into_owned();
    match call.kind {
        ForbiddenKind::Pointer => format!("{subject} calls through a pointer: {reason}"),
        ForbiddenKind::Missing | ForbiddenKind::MissingMemory => {
            format!("{subject} calls `{callee}`, which is not defined: {reason}")
        }
        ForbiddenKind::Trap => format!("{subject} ends in a trap: {reason}"),
        _ if call.site.is_some() => format!("{subject} can panic: {reason}"),
        _ => format!("{subject} can panic: {reason} (it calls {callee})"),
    }
}

fn wrapped(text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .subsequent_indent("  ")
        .break_words(false);
    textwrap::fill(text, options) + "\n"
}

/// Within an explanation or a list of checks, which indent it.
const WIDTH: usize = 92;

/// The object's name for a program: the kernel keeps only 15 letters of it, and some logs have
/// none.
fn program_name(object: &Object<'_>, name: Option<&str>) -> Option<String> {
    const KEPT: usize = 15;
    let mut programs: Vec<&str> = object.program_names().collect();
    if let Some(name) = name {
        let is_same =
            |program: &&str| *program == name || (name.len() == KEPT && program.starts_with(name));
        programs.retain(is_same);
    }
    let [only] = programs[..] else { return None };
    Some(only.to_owned())
}

/// In a few words, for a table.
pub fn summarize_call(call: &ForbiddenCall) -> String {
    let at = call
        .site
        .as_ref()
        .map_or(String::new(), |site| format!("{}: ", site_name(site)));
    let what = headline(call);
    format!("{at}{}", what.trim_start_matches("this line "))
}

/// As rustc shows a place, with the line's text where the file is at hand.
fn site_as_text(site: &SourceSite, built: Option<SystemTime>) -> String {
    let code = source_line(site, built);
    let code = code.map_or(String::new(), |code| {
        format!("     {}\n", clean_text(code.trim().as_bytes(), false))
    });
    format!(" --> {}\n{code}", site_name(site))
}

/// A path from here or from the checkout, with line and column.
pub fn site_name(site: &SourceSite) -> String {
    let path = tidy(Path::new(&site.file));
    let here = std::env::current_dir().unwrap_or_default();
    let short = path
        .strip_prefix(workspace::workspace_root())
        .or_else(|_| path.strip_prefix(here))
        .unwrap_or(&path);
    let column = if site.column > 0 {
        format!(":{}", site.column)
    } else {
        String::new()
    };
    format!("{}:{}{column}", clean_path(short), site.line)
}

/// A path that an editor or a pipeline opens: from here, or whole.
fn path_from_here(site: &SourceSite) -> String {
    let path = tidy(Path::new(&site.file));
    let here = std::env::current_dir().unwrap_or_default();
    clean_path(path.strip_prefix(here).unwrap_or(&path))
}

fn clean_path(path: &Path) -> String {
    clean_text(path.as_os_str().as_encoded_bytes(), false).into_owned()
}

/// `a/b/../c` as `a/c`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

fn source_line(site: &SourceSite, built: Option<SystemTime>) -> Option<String> {
    let file = fs::canonicalize(&site.file).ok()?;
    // An object from elsewhere could name any file of this machine.
    let is_source = file
        .extension()
        .is_some_and(|end| ["c", "h", "rs"].iter().any(|known| end == *known));
    let is_here = file.starts_with(workspace::workspace_root())
        || file.starts_with(std::env::current_dir().ok()?);
    let about = fs::metadata(&file)
        .ok()
        .filter(|about| about.is_file() && is_source && is_here)?;
    if built
        .zip(about.modified().ok())
        .is_some_and(|(built, changed)| changed > built)
    {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .nth(usize::try_from(site.line).ok()?.checked_sub(1)?)?;
    Some(line.to_owned())
}

/// A line of a source file, as `--json` of several commands prints it; `explain --help` tells the
/// fields.
#[derive(Serialize)]
pub struct SiteJson {
    file: String,
    line: u32,
    column: u32,
}

impl From<&SourceSite> for SiteJson {
    fn from(site: &SourceSite) -> Self {
        Self {
            file: site.file.clone(),
            line: site.line,
            column: site.column,
        }
    }
}

/// A call that no kernel accepts, as `--json` prints it.
#[derive(Serialize)]
pub struct ForbiddenCallJson {
    kind: &'static str,
    panic: bool,
    program: String,
    callee: Option<String>,
    site: Option<SiteJson>,
    reason: &'static str,
    instead: &'static str,
}

impl From<&ForbiddenCall> for ForbiddenCallJson {
    fn from(call: &ForbiddenCall) -> Self {
        Self {
            kind: call.kind.name(),
            panic: call.kind.is_panic(),
            program: call.program.clone(),
            callee: call.callee.clone(),
            site: call.site.as_ref().map(SiteJson::from),
            reason: call.kind.reason(),
            instead: call.kind.advice(),
        }
    }
}

/// The refused instruction may be a library's: where that is inlined, its line is known from the
/// object; where it is a function, it is the line of the call, if the log still has it.
fn find_own_site(
    object: &Object<'_>,
    name: &str,
    log: &[u8],
    rejected: &ExplainedProgram,
) -> Option<SourceSite> {
    let refused = rejected.insn.as_ref()?;
    let site = |pc: u32| object.find_site(name, usize::try_from(pc).ok()?);
    if let Some(found) = site(refused.pc) {
        return Some(found);
    }
    let log = rejected.read_steps(log);
    let mut before = log.steps[..log.decisive?].iter().rev();
    before.find_map(|step| {
        leads_to(object, name, &step.insn, refused.pc).then(|| site(step.insn.pc))?
    })
}

/// Whether this instruction of the program calls the function that has another.
fn leads_to(object: &Object<'_>, program: &str, call: &Insn, refused: u32) -> bool {
    let distance = call
        .text
        .strip_prefix("call pc+")
        .and_then(|distance| distance.parse::<u32>().ok());
    let Some(start) = distance.and_then(|distance| call.pc.checked_add(1)?.checked_add(distance))
    else {
        return false;
    };
    let length = usize::try_from(call.pc)
        .ok()
        .and_then(|pc| object.find_callee_length(program, pc));
    refused
        .checked_sub(start)
        .is_some_and(|at| length.is_some_and(|length| u64::from(at) < length))
}
