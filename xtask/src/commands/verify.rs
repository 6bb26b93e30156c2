//! `verify`: what the verifier of each kernel says about any object file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use kernel::Kernel;
use object::{Architecture, Object as _};
use plan::Outcome;
use plan::load::{Accepted, EbpfLibrary, Load, LoadResult};
use problem::{Exit, Problem};
use serde::Serialize;
use testvm::Failure;
use verifier_log::Class;

use crate::commands::explain;
use crate::output::indent::indent_lines;
use crate::output::screen::{self, Mark};
use crate::pipeline::forbidden::{self, ForbiddenCallJson, LineReport, SiteJson};
use crate::pipeline::loader::{self, Batch, BatchResult};
use crate::pipeline::selection::Selection;
use crate::pipeline::{demo, needs, parallel};

/// What to load, and where.
pub struct VerifyOptions {
    pub objects: Vec<PathBuf>,
    pub kernels: Selection,
    /// How many VMs run side by side; `None`: as many as fit.
    pub jobs: Option<usize>,
    /// That one object may take on one kernel.
    pub seconds: u64,
    /// The verifier's whole log of what was rejected.
    pub log: bool,
    pub json: bool,
}

pub fn verify_objects(options: &VerifyOptions) -> Result<Exit> {
    let selection = &options.kernels;
    let objects = options
        .objects
        .iter()
        .enumerate()
        .map(Object::read)
        .collect::<Result<Vec<_>, _>>()?;
    needs::ensure_vm_needs(selection)?;
    let kernels = selection.find_kernels()?;
    let files = objects
        .iter()
        .map(|object| (object.name.clone(), object.bytes.clone()))
        .collect();
    let work = Work {
        programs: loader::pack_objects(&files)?,
        objects,
        seconds: options.seconds,
    };
    let what = count(work.objects.len(), "object");
    screen::show_progress(&format!("{what} on {}", count(kernels.len(), "kernel")));
    let found = parallel::run_on_each(&kernels, options.jobs, |_, kernel| work.on(kernel))?;
    let verdicts: Vec<Verdict> = found.into_iter().flatten().collect();
    let answer = if options.json {
        as_json(&verdicts, &work.objects)?
    } else {
        as_text(&verdicts, &work.objects, options.log) + &explanations(&verdicts, &work.objects)
    };
    screen::write_answer(answer.as_bytes())?;
    conclude(&verdicts)
}

/// One program on one kernel; or a whole object, where it did not get as far as its programs.
#[derive(Clone, Debug)]
struct Verdict {
    kernel: String,
    release: String,
    /// Its object is named as the user did.
    load: Load,
}

struct Object {
    /// As the user named it.
    path: String,
    /// In the guest. Files of two directories may be called the same.
    name: String,
    bytes: Vec<u8>,
}

impl Object {
    fn read((number, path): (usize, &PathBuf)) -> Result<Self, Problem> {
        let bytes = std::fs::read(path).map_err(|error| {
            Problem::usage(format!("cannot read {}: {error}", path.display()))
                .help("cargo xtask verify takes object files: the .o that clang or cargo wrote")
        })?;
        check(path, &bytes)?;
        Ok(Self {
            path: path.display().to_string(),
            name: format!("{number}.o"),
            bytes,
        })
    }

    /// What it tells about a program that was not accepted.
    fn lines(&self, load: &Load) -> LineReport {
        let program = Some(load.program.as_str()).filter(|name| !name.is_empty());
        let lines = match &load.result {
            LoadResult::Accepted(_) => LineReport::default(),
            LoadResult::Rejected { log, .. } => {
                LineReport::of_rejection(&self.bytes, program, log.as_bytes())
            }
            LoadResult::Failed { .. } => LineReport::of_object(&self.bytes, program),
        };
        lines.with_build_time(Path::new(&self.path))
    }

    /// A verdict on the whole of it.
    fn failed(&self, why: String) -> Load {
        Load::of_failed_object(&self.path, None, why)
    }
}

/// What need not wait for a VM to be said.
fn check(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let wrong = |why: String| {
        Problem::usage(format!(
            "{} is not an eBPF object file: {why}",
            path.display()
        ))
        .help("clang -target bpf -O2 -g -c program.bpf.c -o program.o makes one")
    };
    let file = object::File::parse(bytes).map_err(|_| wrong("it is no ELF file".to_owned()))?;
    match file.architecture() {
        Architecture::Bpf => Ok(()),
        other => Err(wrong(format!("it is for another machine ({other:?})"))),
    }
}

/// What is to be done on each kernel.
struct Work {
    programs: testvm::Programs,
    objects: Vec<Object>,
    seconds: u64,
}

impl Work {
    /// What goes wrong here is a verdict: those of the other kernels, and of the other objects,
    /// must stand.
    fn on(&self, kernel: &Kernel) -> Result<Vec<Verdict>> {
        let machine = demo::describe_machine(kernel)?;
        let mut started = None;
        let mut loads = Vec::new();
        for object in &self.objects {
            match self.load(&machine, &mut started, object) {
                Ok(more) => loads.extend(more),
                Err(Failure::Died(death)) => {
                    // The next object gets a new guest.
                    started = None;
                    loads.push(object.failed(format!("the guest did not survive it: {death}")));
                }
                Err(Failure::NotBooted(death)) if death.qemu_failed.is_none() => {
                    loads.push(object.failed(format!("this kernel did not boot: {death}")));
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
        let verdict = |load| Verdict {
            kernel: kernel.name.clone(),
            release: kernel.release.clone(),
            load,
        };
        Ok(loads.into_iter().map(verdict).collect())
    }

    fn load(
        &self,
        machine: &testvm::Machine,
        started: &mut Option<testvm::Started>,
        object: &Object,
    ) -> Result<Vec<Load>, Failure> {
        let started = match started {
            Some(started) => started,
            none => none.insert(testvm::start_guest(machine, &self.programs)?),
        };
        let batch = Batch {
            library: None,
            without_perfmon: false,
            seconds: self.seconds,
            objects: vec![object.name.clone()],
        };
        let answers = loader::run_batches(&mut started.guest, &[batch])?;
        Ok(answers
            .into_iter()
            .flat_map(|answer| loads_of(object, answer, self.seconds))
            .collect())
    }
}

/// What the loader said, and what it could not say any more.
fn loads_of(object: &Object, answer: BatchResult, seconds: u64) -> Vec<Load> {
    let mut loads = answer.loads;
    for load in &mut loads {
        load.object.clone_from(&object.path);
    }
    // How the loader ended is no news about an object that it had done with.
    if answer.finished.contains(&object.name) {
        return loads;
    }
    let why = match answer.step.outcome {
        Outcome::Exited(0) => return loads,
        Outcome::TimedOut => {
            format!("it took more than {seconds} s, and was ended (--seconds allows more)")
        }
        Outcome::Killed(signal) => format!("signal {signal} ended the loader"),
        outcome => format!("the loader failed: {outcome:?} {}", answer.said),
    };
    loads.push(object.failed(why));
    loads
}

fn conclude(verdicts: &[Verdict]) -> Result<Exit> {
    let bad = verdicts
        .iter()
        .filter(|verdict| !matches!(verdict.load.result, LoadResult::Accepted(_)))
        .count();
    if bad == 0 {
        screen::show_marked(
            Mark::Good,
            &format!("accepted: {}", count(verdicts.len(), "load")),
        );
        return Ok(Exit::Done);
    }
    screen::show_marked(
        Mark::Bad,
        &format!("not accepted: {bad} of {}", count(verdicts.len(), "load")),
    );
    Ok(Exit::NotYet)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// By object and program, with a line for each kernel.
fn as_text(verdicts: &[Verdict], objects: &[Object], with_log: bool) -> String {
    let mut text = String::new();
    for object in objects {
        let path = &object.path;
        let of_object: Vec<&Verdict> = verdicts
            .iter()
            .filter(|verdict| verdict.load.object == *path)
            .collect();
        let library = of_object.iter().find_map(|verdict| verdict.load.library);
        let library = library.map_or(String::new(), |library| {
            format!(", loaded with {}", library.name())
        });
        text += &format!("{path}{library}\n");
        let mut programs: Vec<(&str, &str)> = Vec::new();
        for verdict in &of_object {
            let program = (verdict.load.program.as_str(), verdict.load.section.as_str());
            if !programs.contains(&program) {
                programs.push(program);
            }
        }
        for (program, section) in programs {
            text += &match program {
                "" => "  the whole object\n".to_owned(),
                _ => format!("  {program} ({section})\n"),
            };
            let of_program = of_object
                .iter()
                .filter(|verdict| verdict.load.program == program);
            of_program
                .for_each(|verdict| text += &line(verdict, &object.lines(&verdict.load), with_log));
        }
    }
    text
}

fn line(verdict: &Verdict, lines: &LineReport, with_log: bool) -> String {
    let (mark, what) = match &verdict.load.result {
        LoadResult::Accepted(accepted) => (Mark::Good, format!("accepted  {}", sizes(accepted))),
        LoadResult::Rejected { error, log } => {
            let (text, class) = find_reason(error, log);
            let class =
                class.map(|class| format!("\n{:19} {}: {}", "", class.slug(), class.title()));
            (
                Mark::Bad,
                format!("rejected  {text}{}", class.unwrap_or_default()),
            )
        }
        LoadResult::Failed { why } => (
            Mark::Bad,
            format!("failed    {}", why.replace('\n', "\n                   ")),
        ),
    };
    let mut text = format!("    {} {:<5} {what}\n", mark.symbol(), verdict.kernel);
    lines
        .calls
        .iter()
        .for_each(|call| text += &format!("{:19} {}\n", "", forbidden::summarize_call(call)));
    if let (LoadResult::Rejected { log, .. }, true) = (&verdict.load.result, with_log) {
        log.lines()
            .for_each(|line| text += &format!("            | {line}\n"));
    }
    text
}

/// Why programs were rejected: once for each class of error that a program met, in the words of the
/// oldest of the kernels that told it.
fn explanations(verdicts: &[Verdict], objects: &[Object]) -> String {
    let mut told: Vec<(&Load, Option<&str>, Vec<&str>)> = Vec::new();
    for Verdict { kernel, load, .. } in verdicts {
        let LoadResult::Rejected { error, log } = &load.result else {
            continue;
        };
        let class = find_reason(error, log).1.map(|class| class.slug());
        let same = told.iter_mut().find(|(other, other_class, _)| {
            (&other.object, &other.program, *other_class) == (&load.object, &load.program, class)
        });
        match same {
            Some((.., kernels)) => kernels.push(kernel),
            None => told.push((load, class, vec![kernel])),
        }
    }
    let explanation = |(load, _, kernels): (&Load, Option<&str>, Vec<&str>)| {
        let LoadResult::Rejected { log, .. } = &load.result else {
            return String::new();
        };
        let heading = format!(
            "{}: {} is rejected on Linux {}",
            load.object,
            load.program,
            kernels.join(", ")
        );
        let object = objects.iter().find(|object| object.path == load.object);
        let lines = object.map_or_else(LineReport::default, |object| object.lines(load));
        let explained = explain::as_text(&verifier_log::explain_log(log.as_bytes()), &lines);
        format!("\n{heading}:\n\n{}", indent_lines(&explained, 2))
    };
    told.into_iter().map(explanation).collect::<String>() + &explain_failures(verdicts, objects)
}

/// What objects tell that no library loads: there is no log then.
fn explain_failures(verdicts: &[Verdict], objects: &[Object]) -> String {
    let mut text = String::new();
    for object in objects {
        let failed = verdicts.iter().filter(|verdict| {
            verdict.load.object == object.path
                && matches!(verdict.load.result, LoadResult::Failed { .. })
        });
        let failed: Vec<&Verdict> = failed.collect();
        let Some(first) = failed.first() else {
            continue;
        };
        let lines = indent_lines(&object.lines(&first.load).as_text(), 2);
        if !lines.is_empty() {
            let kernels: Vec<&str> = failed
                .iter()
                .map(|verdict| verdict.kernel.as_str())
                .collect();
            text += &format!(
                "\n{} is not loaded on Linux {}:\n\n{lines}",
                object.path,
                kernels.join(", ")
            );
        }
    }
    text
}

fn sizes(accepted: &Accepted) -> String {
    let known = [
        accepted
            .instructions
            .map(|number| format!("{number} instructions")),
        accepted
            .machine_code
            .map(|number| format!("{number} bytes of machine code")),
        accepted
            .processed
            .map(|number| format!("{number} followed by the verifier")),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The decisive line of the log, and the class of error that it tells of.
pub fn find_reason(error: &str, log: &str) -> (String, Option<Class>) {
    let report = verifier_log::explain_log(log.as_bytes());
    let program = report.programs.first();
    let text = program
        .and_then(|program| program.message())
        .map(|text| text.replace('\n', "; "));
    (
        text.unwrap_or_else(|| error.to_owned()),
        program.and_then(|program| program.class),
    )
}

/// A line of `verify --json`; `verify --help` tells the fields.
#[derive(Serialize)]
struct VerdictJson<'a> {
    object: &'a str,
    program: &'a str,
    section: &'a str,
    loader: Option<EbpfLibrary>,
    kernel: &'a str,
    release: &'a str,
    #[serde(flatten)]
    outcome: OutcomeJson<'a>,
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum OutcomeJson<'a> {
    Accepted {
        instructions: Option<u32>,
        machine_code_bytes: Option<u32>,
        processed: Option<u32>,
    },
    Rejected {
        error: &'a str,
        reason: String,
        class: Option<&'static str>,
        site: Option<SiteJson>,
        forbidden_calls: Vec<ForbiddenCallJson>,
        log: &'a str,
    },
    Failed {
        error: &'a str,
        forbidden_calls: Vec<ForbiddenCallJson>,
    },
}

impl<'a> VerdictJson<'a> {
    fn new(verdict: &'a Verdict, lines: &LineReport) -> Self {
        let load = &verdict.load;
        Self {
            object: &load.object,
            program: &load.program,
            section: &load.section,
            loader: load.library,
            kernel: &verdict.kernel,
            release: &verdict.release,
            outcome: OutcomeJson::new(&load.result, lines),
        }
    }
}

impl<'a> OutcomeJson<'a> {
    fn new(result: &'a LoadResult, lines: &LineReport) -> Self {
        match result {
            LoadResult::Accepted(accepted) => Self::Accepted {
                instructions: accepted.instructions,
                machine_code_bytes: accepted.machine_code,
                processed: accepted.processed,
            },
            LoadResult::Rejected { error, log } => {
                let (reason, class) = find_reason(error, log);
                Self::Rejected {
                    error,
                    reason,
                    class: class.map(|class| class.slug()),
                    site: lines.site_as_json(),
                    forbidden_calls: lines.as_json(),
                    log,
                }
            }
            LoadResult::Failed { why } => Self::Failed {
                error: why,
                forbidden_calls: lines.as_json(),
            },
        }
    }
}

fn as_json(verdicts: &[Verdict], objects: &[Object]) -> Result<String> {
    let mut text = String::new();
    for verdict in verdicts {
        let load = &verdict.load;
        let object = objects.iter().find(|object| object.path == load.object);
        let lines = object.map_or_else(LineReport::default, |object| object.lines(load));
        text += &serde_json::to_string(&VerdictJson::new(verdict, &lines))?;
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;

    fn verdict(kernel: &str, program: &str, result: LoadResult) -> Verdict {
        let library = (!program.is_empty()).then_some(EbpfLibrary::Aya);
        let (object, section) = ("a.o".into(), "xdp".into());
        let load = Load {
            object,
            program: program.into(),
            section,
            library,
            result,
            attach: None,
            notes: Vec::new(),
        };
        Verdict {
            kernel: kernel.into(),
            release: format!("{kernel}.0"),
            load,
        }
    }

    fn verdicts() -> Vec<Verdict> {
        let log =
            "0: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\nprocessed 1 insns\n";
        let accepted = Accepted {
            instructions: Some(12),
            machine_code: Some(90),
            processed: None,
        };
        let rejected = LoadResult::Rejected {
            error: "Permission denied".into(),
            log: log.into(),
        };
        vec![
            verdict("5.10", "first", LoadResult::Accepted(accepted)),
            verdict("5.10", "second", rejected),
            verdict(
                "7.3",
                "",
                LoadResult::Failed {
                    why: "one line\nanother".into(),
                },
            ),
        ]
    }

    pub fn json_sample() -> Result<String> {
        as_json(&verdicts(), &[])
    }

    #[test]
    fn the_table_goes_by_object_and_program() {
        let objects = [Object {
            path: "a.o".into(),
            name: "0.o".into(),
            bytes: Vec::new(),
        }];
        insta::assert_snapshot!(as_text(&verdicts(), &objects, true));
    }

    #[test]
    fn each_reason_is_explained_once() {
        let mut verdicts = verdicts();
        let mut again = verdicts[1].clone();
        again.kernel = "6.1".into();
        verdicts.push(again);
        insta::assert_snapshot!(explanations(&verdicts, &[]));
    }

    #[test]
    fn json_has_a_line_for_each_load() {
        insta::assert_snapshot!(as_json(&verdicts(), &[]).unwrap());
    }

    /// The loader's step when it reaches its time limit.
    fn answer_of_an_ended_loader(finished: &[&str]) -> BatchResult {
        BatchResult {
            loads: vec![verdict("6.12", "first", LoadResult::Accepted(Accepted::default())).load],
            finished: finished.iter().map(|name| (*name).to_owned()).collect(),
            step: testvm::StepReport {
                outcome: Outcome::TimedOut,
                duration: Duration::from_secs(1),
                observed: None,
            },
            said: String::new(),
        }
    }

    /// Exiting takes time, and the limit may be reached in it.
    #[test]
    fn a_loader_that_is_ended_while_it_exits_takes_no_verdict_back() {
        let object = Object {
            path: "a.o".into(),
            name: "0.o".into(),
            bytes: Vec::new(),
        };
        let verdicts_on = |answer| loads_of(&object, answer, 1);
        let [only] = &verdicts_on(answer_of_an_ended_loader(&["0.o"]))[..] else {
            panic!("two verdicts on one object");
        };
        assert!(matches!(only.result, LoadResult::Accepted(_)), "{only:?}");
        let [_, rest] = &verdicts_on(answer_of_an_ended_loader(&[]))[..] else {
            panic!("no verdict on the programs that were not reached");
        };
        let LoadResult::Failed { why } = &rest.result else {
            panic!("{rest:?}");
        };
        assert!(why.contains("more than 1 s"), "{why}");
    }

    #[test]
    fn what_is_no_ebpf_object_is_said() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let problem = check(Path::new("own"), &own).unwrap_err();
        assert!(
            problem.to_string().contains("another machine (X86_64)"),
            "{problem}"
        );
        let problem = check(Path::new("text"), b"text").unwrap_err();
        assert!(problem.to_string().contains("no ELF file"), "{problem}");
    }
}
