//! `verify`: what the verifier of each kernel makes of any object file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use object::{Architecture, Object as _};
use plan::Outcome;
use plan::load::{Accepted, Load, LoadResult};
use serde_json::json;
use verifier_log::Class;

use crate::kernel::Kernel;
use crate::loader::{self, Answer, Batch, Library};
use crate::problem::{Exit, Problem};
use crate::screen::{self, Mark};
use crate::selection::Selection;
use crate::vm::{self, Failure};
use crate::{demo, parallel, setup};

/// Seconds for all programs of one object on one kernel. The largest that the verifier follows to its limit takes a
/// quarter of a minute under emulation.
const SECONDS: u64 = 120;

#[derive(clap::Parser, Debug)]
pub struct Verify {
    /// Object files: from clang, bpf-linker, bpf2go, or whatever else writes eBPF
    #[arg(required = true, value_name = "OBJECT")]
    pub objects: Vec<PathBuf>,
    /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or the path of a bzImage or vmlinux
    #[arg(long, value_name = "KERNEL", default_value = "all")]
    pub kernel: String,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Show the verifier's whole log of what was rejected
    #[arg(long)]
    pub log: bool,
    /// Print JSON, a line for each program on each kernel
    #[arg(long, conflicts_with = "log")]
    pub json: bool,
}

pub fn run(options: &Verify) -> Result<Exit> {
    let selection = Selection::parse(&options.kernel)?;
    let objects = read(&options.objects)?;
    setup::ensure(&[&demo::BUILD_NEEDS[..], &demo::VM_NEEDS, &selection.needs()].concat())?;
    let kernels = selection.kernels()?;
    let programs = loader::programs(&objects)?;
    screen::progress(&format!("{} on {}", count(objects.len(), "object"), count(kernels.len(), "kernel")));
    let found = parallel::on_each(&kernels, options.jobs, |_, kernel| on(kernel, &programs, &objects))?;
    let verdicts: Vec<Verdict> = found.into_iter().flatten().collect();
    if options.json {
        screen::answer(as_json(&verdicts)?.as_bytes())?;
    } else {
        screen::answer(as_text(&verdicts, &objects, options.log).as_bytes())?;
    }
    conclude(&verdicts)
}

/// One program on one kernel; or a whole object, where it did not get as far as its programs.
#[derive(Clone, Debug)]
struct Verdict {
    kernel: String,
    release: String,
    load: Load,
}

/// Reads the files under the names that they have in the guest: two may be called the same.
fn read(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut objects = BTreeMap::new();
    for path in paths {
        let bytes = std::fs::read(path).map_err(|error| {
            Problem::usage(format!("cannot read {}: {error}", path.display()))
                .help("cargo xtask verify takes object files: the .o that clang or cargo wrote")
        })?;
        check(path, &bytes)?;
        objects.insert(path.display().to_string().trim_start_matches(['/', '.']).replace("../", ""), bytes);
    }
    Ok(objects)
}

/// What need not wait for a VM to be said.
fn check(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let wrong = |why: String| {
        Problem::usage(format!("{} is not an eBPF object file: {why}", path.display()))
            .help("clang -target bpf -O2 -g -c program.bpf.c -o program.o makes one")
    };
    let file = object::File::parse(bytes).map_err(|_| wrong("it is no ELF file".to_owned()))?;
    match file.architecture() {
        Architecture::Bpf => Ok(()),
        other => Err(wrong(format!("it is for another machine ({other:?})"))),
    }
}

fn on(kernel: &Kernel, programs: &vm::Programs, objects: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Verdict>> {
    let mut started = vm::start(&demo::machine(kernel)?, programs).map_err(Failure::into_error)?;
    let mut verdicts = Vec::new();
    for name in objects.keys() {
        let batch = Batch {
            library: Library::Auto,
            without_perfmon: false,
            seconds: SECONDS,
            objects: vec![name.clone()],
        };
        let loads = match loader::run(&mut started.guest, &[batch]) {
            Ok(answers) => answers.into_iter().flat_map(|answer| loads(name, answer)).collect(),
            Err(Failure::Died(death)) => {
                // This guest is gone; the next object gets a new one.
                started = vm::start(&demo::machine(kernel)?, programs).map_err(Failure::into_error)?;
                vec![failed(name, format!("the kernel did not survive it: {death}"))]
            }
            Err(failure) => return Err(failure.into_error()),
        };
        let (kernel, release) = (&kernel.name, &started.release);
        verdicts.extend(loads.into_iter().map(|load| Verdict {
            kernel: kernel.clone(),
            release: release.clone(),
            load,
        }));
    }
    Ok(verdicts)
}

/// What the loader said, and what it could not say any more.
fn loads(object: &str, answer: Answer) -> Vec<Load> {
    let mut loads = answer.loads;
    let why = match answer.step.outcome {
        Outcome::Exited(0) => return loads,
        Outcome::TimedOut => format!("the loader was ended after {SECONDS} s"),
        Outcome::Killed(signal) => format!("signal {signal} ended the loader"),
        outcome => format!("the loader failed: {outcome:?} {}", answer.said),
    };
    loads.push(failed(object, why));
    loads
}

fn failed(object: &str, why: String) -> Load {
    let (program, section) = (String::new(), String::new());
    Load { object: object.to_owned(), program, section, result: LoadResult::Failed { why } }
}

fn conclude(verdicts: &[Verdict]) -> Result<Exit> {
    let bad =
        verdicts.iter().filter(|verdict| !matches!(verdict.load.result, LoadResult::Accepted(_))).count();
    if bad == 0 {
        screen::say(Mark::Good, &format!("accepted: {}", count(verdicts.len(), "load")));
        return Ok(Exit::Done);
    }
    screen::say(Mark::Bad, &format!("not accepted: {bad} of {}", count(verdicts.len(), "load")));
    screen::note("  a class of errors in full: cargo xtask explain --code NAME");
    Ok(Exit::NotYet)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// By object and program, with a line for each kernel.
fn as_text(verdicts: &[Verdict], objects: &BTreeMap<String, Vec<u8>>, with_log: bool) -> String {
    let mut text = String::new();
    for object in objects.keys() {
        text += &format!("{object}\n");
        let of_object: Vec<&Verdict> =
            verdicts.iter().filter(|verdict| verdict.load.object == *object).collect();
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
            let of_program = of_object.iter().filter(|verdict| verdict.load.program == program);
            of_program.for_each(|verdict| text += &line(verdict, with_log));
        }
    }
    text
}

fn line(verdict: &Verdict, with_log: bool) -> String {
    let (mark, what) = match &verdict.load.result {
        LoadResult::Accepted(accepted) => (Mark::Good, format!("accepted  {}", sizes(accepted))),
        LoadResult::Rejected { error, log } => {
            let (text, class) = reason(error, log);
            let class = class.map(|class| format!("\n{:19} {}: {}", "", class.slug, class.title));
            (Mark::Bad, format!("rejected  {text}{}", class.unwrap_or_default()))
        }
        LoadResult::Failed { why } => {
            (Mark::Bad, format!("failed    {}", why.replace('\n', "\n                   ")))
        }
    };
    let mut text = format!("    {} {:<5} {what}\n", mark.symbol(), verdict.kernel);
    if let (LoadResult::Rejected { log, .. }, true) = (&verdict.load.result, with_log) {
        log.lines().for_each(|line| text += &format!("            | {line}\n"));
    }
    text
}

fn sizes(accepted: &Accepted) -> String {
    let known = [
        accepted.instructions.map(|number| format!("{number} instructions")),
        accepted.machine_code.map(|number| format!("{number} bytes of machine code")),
        accepted.processed.map(|number| format!("{number} followed by the verifier")),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The decisive line of the log, and the class of error that it tells of.
pub fn reason(error: &str, log: &str) -> (String, Option<&'static Class>) {
    let report = verifier_log::explain(log.as_bytes());
    let program = report.programs.first();
    let said = program.map(|program| program.messages.iter().map(|message| message.text.as_str()));
    let text = said.map(|lines| lines.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty());
    (text.unwrap_or_else(|| error.to_owned()), program.and_then(|program| program.class))
}

fn as_json(verdicts: &[Verdict]) -> Result<String> {
    let mut text = String::new();
    for Verdict { kernel, release, load } in verdicts {
        let mut line = json!({
            "object": load.object,
            "program": load.program,
            "section": load.section,
            "kernel": kernel,
            "release": release,
        });
        let more = match &load.result {
            LoadResult::Accepted(accepted) => json!({
                "verdict": "accepted",
                "instructions": accepted.instructions,
                "machine_code_bytes": accepted.machine_code,
                "processed": accepted.processed,
            }),
            LoadResult::Rejected { error, log } => {
                let (reason, class) = reason(error, log);
                let class = class.map(|class| class.slug);
                json!({ "verdict": "rejected", "error": error, "reason": reason, "class": class, "log": log })
            }
            LoadResult::Failed { why } => json!({ "verdict": "failed", "error": why }),
        };
        if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
        text += &serde_json::to_string(&line)?;
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(kernel: &str, program: &str, result: LoadResult) -> Verdict {
        let load = Load { object: "a.o".into(), program: program.into(), section: "xdp".into(), result };
        Verdict { kernel: kernel.into(), release: format!("{kernel}.0"), load }
    }

    fn verdicts() -> Vec<Verdict> {
        let log = "0: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\nprocessed 1 insns\n";
        let accepted = Accepted { instructions: Some(12), machine_code: Some(90), processed: None };
        let rejected = LoadResult::Rejected { error: "Permission denied".into(), log: log.into() };
        vec![
            verdict("5.10", "first", LoadResult::Accepted(accepted)),
            verdict("5.10", "second", rejected),
            verdict("7.3", "", LoadResult::Failed { why: "one line\nanother".into() }),
        ]
    }

    #[test]
    fn the_table_goes_by_object_and_program() {
        let objects = BTreeMap::from([("a.o".to_owned(), Vec::new())]);
        insta::assert_snapshot!(as_text(&verdicts(), &objects, true));
    }

    #[test]
    fn json_has_a_line_for_each_load() {
        insta::assert_snapshot!(as_json(&verdicts()).unwrap());
    }

    #[test]
    fn what_is_no_ebpf_object_is_said() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let problem = check(Path::new("own"), &own).unwrap_err();
        assert!(problem.to_string().contains("another machine (X86_64)"), "{problem}");
        let problem = check(Path::new("text"), b"text").unwrap_err();
        assert!(problem.to_string().contains("no ELF file"), "{problem}");
    }
}
