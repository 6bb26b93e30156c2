//! `verify`: whether the programs of any object file work on each kernel: the verifier accepts
//! them, and they can be attached as their sections say.
//!
//! ```text
//!   options, attach_target
//!                  what is asked
//!   input_files, input_object
//!                  what is known of the files without a VM
//!   survey, kernel_run
//!                  all objects on each kernel
//!   kernel_name, kernel_verdict, program_answer
//!                  what became of one program on one kernel, and the answer that it comes to
//!   advice, hook_history
//!                  what the captured names of all kernels tell about it
//!   table, explanation, verdict_json, junit, markdown
//!                  the ways in which verdicts are told
//!   cost           what verification cost
//!   bisection      which kernels to ask, to find where an answer changes
//! ```

mod advice;
mod attach_target;
mod bisection;
mod cost;
mod explanation;
mod hook_history;
mod input_files;
mod input_object;
mod junit;
mod kernel_name;
mod kernel_result;
mod kernel_run;
mod kernel_verdict;
mod markdown;
mod options;
mod program_answer;
mod report_file;
mod status_line;
mod survey;
mod table;
mod verdict_json;

use anyhow::Result;
use kernel_names::AllNames;
use problem::Exit;

use crate::output::screen::{self, Mark};
use crate::pipeline::memory;
pub use attach_target::AttachTarget;
use input_files::InputFiles;
pub use kernel_name::KernelName;
pub use kernel_result::KernelResult;
pub use kernel_verdict::{KernelVerdict, find_reason};
pub use options::{CostQuestion, VerifyMode, VerifyOptions};
use program_answer::ProgramAnswer;
pub use report_file::{ReportFile, ReportForm};
use survey::{ask_kernels, count_noun, good_word, show_notes, take_verdicts};
pub use verdict_json::format_line as format_verdict;

pub fn verify_objects(options: &VerifyOptions) -> Result<Exit> {
    memory::give_back_large_blocks();
    let files = InputFiles::open_files(&options.objects, options.memory_mib)?;
    for target in &options.targets {
        target.check_file(&options.architectures)?;
    }
    let programs = options.targets.iter().map(|target| &target.program);
    files.check_names(programs, options.map_entries.iter().map(|(map, _)| map))?;
    for report in &options.reports {
        report.check_writable()?;
    }
    match options.mode {
        VerifyMode::Bisect { thorough } => bisection::find_changes(options, &files, thorough),
        VerifyMode::Each | VerifyMode::Claim => verify_each(options, &files),
    }
}

fn verify_each(options: &VerifyOptions, files: &InputFiles) -> Result<Exit> {
    let earlier = match &options.cost {
        Some(question) => cost::read_earlier(question)?,
        None => None,
    };
    let mut results = ask_kernels(options, files, &options.kernels)?;
    let verdicts = take_verdicts(&mut results, &AllNames::default())?;
    let costs = cost::collect_costs(&verdicts)?;
    if options.json {
        for verdict in &verdicts {
            let line = format_verdict(verdict, &files.objects)?;
            screen::write_answer(line.as_bytes())?;
        }
    } else {
        let table = table::as_text(&verdicts, &results, files, options.log);
        let explained = explanation::explain_verdicts(&verdicts, &files.objects);
        screen::write_text(&(table + &explained))?;
        if options.cost.is_some() {
            screen::write_text(&cost::costs_as_text(&costs, earlier))?;
        }
    }
    for report in &options.reports {
        report.write_report(&verdicts, &results)?;
    }
    show_notes(&results);
    let exit = conclude(options, &verdicts, &results);
    let is_over = options
        .cost
        .as_ref()
        .is_some_and(|question| show_excess(question, &costs));
    Ok(match exit {
        Exit::Done if is_over => Exit::NotYet,
        exit => exit,
    })
}

fn show_excess(question: &CostQuestion, costs: &[cost::KernelCost]) -> bool {
    let over = cost::describe_excess(question, costs);
    for line in &over {
        screen::show_marked(Mark::Bad, line);
    }
    !over.is_empty()
}

fn conclude(options: &VerifyOptions, verdicts: &[KernelVerdict], results: &[KernelResult]) -> Exit {
    let answers = |wanted: &[ProgramAnswer]| {
        let found = verdicts.iter().map(KernelVerdict::answer);
        found.filter(|answer| wanted.contains(answer)).count()
    };
    let bad = answers(&[
        ProgramAnswer::CannotAttach,
        ProgramAnswer::Rejected,
        ProgramAnswer::Failed,
    ]);
    let not_known = answers(&[ProgramAnswer::NotKnown]);
    let (all, word) = (count_noun(verdicts.len(), "verdict"), good_word(options));
    if bad > 0 {
        let mut text = format!("not so: {bad} of {all}");
        if options.mode == VerifyMode::Claim {
            text = format!("the claim does not hold: {bad} of {all}");
        }
        screen::show_marked(Mark::Bad, &text);
        show_first_contradiction(options, verdicts);
        return Exit::NotYet;
    }
    if results.iter().any(|result| result.machine_failed.is_some()) {
        screen::show_note("  help: cargo xtask doctor");
        return Exit::MachineNotReady;
    }
    if not_known > 0 {
        let text = format!("not known: {not_known} of {all}");
        screen::show_marked(Mark::Note, &text);
        screen::show_note("  help: --target NAME=TARGET says where; --load-only asks for no more");
        return Exit::NotYet;
    }
    screen::show_marked(Mark::Good, &format!("{word}: {all}"));
    Exit::Done
}

/// The oldest kernel on which something that was claimed is not so.
fn show_first_contradiction(options: &VerifyOptions, verdicts: &[KernelVerdict]) {
    if options.mode != VerifyMode::Claim {
        return;
    }
    let is_bad = |verdict: &&KernelVerdict| !verdict.answer().is_good();
    if let Some(verdict) = verdicts.iter().find(is_bad) {
        let KernelVerdict { kernel, load, .. } = verdict;
        let name = match load.program.as_str() {
            "" => load.object.clone(),
            program => format!("{program} of {}", load.object),
        };
        let (word, reason) = (verdict.word(), verdict.short_reason());
        let text = format!("{kernel} is the first to contradict: {name} {word}: {reason}");
        screen::show_note(&format!("  {text}"));
    }
}

#[cfg(test)]
pub mod tests {
    use kernel::Architecture;
    use plan::load::{Accepted, AttachResult, EbpfLibrary, Load, LoadResult, Missing, MissingKind};

    use super::advice::Advice;
    use super::kernel_name::KernelName;
    use super::*;

    pub fn named(series: &str) -> KernelName {
        KernelName {
            series: series.to_owned(),
            architecture: Architecture::Amd64,
        }
    }

    fn verdict(kernel: &str, program: &str, result: LoadResult) -> KernelVerdict {
        let library = (!program.is_empty()).then_some(EbpfLibrary::Aya);
        let section = if program.is_empty() { "" } else { "xdp" };
        let load = Load {
            program: program.into(),
            section: section.into(),
            result,
            ..Load::of_failed_object("a.o", library, String::new())
        };
        KernelVerdict {
            kernel: named(kernel),
            release: format!("{kernel}.0"),
            load,
            advice: None,
        }
    }

    fn accepted(kernel: &str, program: &str, attach: Option<AttachResult>) -> KernelVerdict {
        let accepted = Accepted {
            instructions: Some(12),
            machine_code: Some(90),
            processed: None,
        };
        let mut verdict = verdict(kernel, program, LoadResult::Accepted(accepted));
        verdict.load.attach = attach;
        verdict
    }

    fn refused() -> AttachResult {
        let missing = Missing {
            kind: MissingKind::Function,
            name: "do_unlinkat".into(),
        };
        AttachResult::Refused {
            missing: Some(missing),
            error: "No such file or directory (os error 2)".into(),
        }
    }

    fn without_hook() -> LoadResult {
        let missing = Missing {
            kind: MissingKind::LsmHook,
            name: "no_such_hook".into(),
        };
        LoadResult::Failed {
            why: "prog 'hooked': failed to find kernel BTF type ID of 'no_such_hook'".into(),
            missing: Some(missing),
        }
    }

    fn with_advice(mut verdict: KernelVerdict) -> KernelVerdict {
        let missing = verdict.missing().unwrap();
        verdict.advice = Advice::advise_on(missing, &verdict.kernel, &AllNames::default()).unwrap();
        verdict
    }

    fn verdicts() -> Vec<KernelVerdict> {
        let log =
            "0: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\nprocessed 1 insns\n";
        let rejected = LoadResult::Rejected {
            error: "Permission denied".into(),
            log: log.into(),
        };
        let missing = Missing {
            kind: MissingKind::ProgramType,
            name: "BPF_PROG_TYPE_NETFILTER".into(),
        };
        let failed = LoadResult::Failed {
            why: "one line\nanother | more".into(),
            missing: Some(missing),
        };
        let mut noted = accepted("5.10", "noted", Some(AttachResult::Attached));
        noted.load.notes.push("map events: a page".into());
        let what = "a function of the kernel".into();
        let mut measured = accepted("5.10", "first", None);
        measured.load.cost = Some(cost::tests::sample_as_json());
        vec![
            measured,
            verdict("5.10", "second", rejected),
            noted,
            accepted("5.10", "bare", Some(AttachResult::NeedsTarget { what })),
            with_advice(accepted("7.3", "noted", Some(refused()))),
            verdict("7.3", "hooked", without_hook()),
            verdict("7.3", "", failed),
        ]
    }

    pub fn json_sample() -> Result<String> {
        Ok(json_lines()? + &bisection::tests::json_sample()?)
    }

    fn json_lines() -> Result<String> {
        let verdicts = verdicts();
        let lines = verdicts.iter();
        lines
            .map(|verdict| verdict_json::format_line(verdict, &[]))
            .collect()
    }

    fn files() -> InputFiles {
        InputFiles {
            objects: Vec::new(),
            unusable: Vec::new(),
            paths: vec!["a.o".into(), "maps-only.o".into()],
        }
    }

    fn results() -> Vec<KernelResult> {
        let result = |kernel: &str, machine_failed: Option<&str>| KernelResult {
            kernel: named(kernel),
            release: format!("{kernel}.0"),
            loads: Vec::new(),
            without_programs: Vec::new(),
            machine_failed: machine_failed.map(str::to_owned),
            has_modules: true,
            notes: Vec::new(),
        };
        let mut first = result("5.10", None);
        first.without_programs.push("maps-only.o".into());
        vec![
            first,
            result("6.12", Some("the VM did not boot: it ended")),
            result("7.3", None),
        ]
    }

    #[test]
    fn the_table_goes_by_object_and_program() {
        insta::assert_snapshot!(table::as_text(&verdicts(), &results(), &files(), true));
    }

    #[test]
    fn each_reason_is_explained_once() {
        let mut verdicts = verdicts();
        let mut again = verdicts[1].clone();
        again.kernel = named("6.1");
        verdicts.push(again);
        insta::assert_snapshot!(explanation::explain_verdicts(&verdicts, &[]));
    }

    #[test]
    fn json_has_a_line_for_each_load() {
        insta::assert_snapshot!(json_lines().unwrap());
    }

    #[test]
    fn a_report_in_junits_form() {
        let bytes = junit::as_junit(&verdicts(), &results()).unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
    }

    /// What an object or a guest may call things.
    const HOSTILE: &str = "<b>`a`</b>|&\"]]>\u{1b}[2J\u{9b}\0\u{ffff}\n@all";

    fn hostile_verdicts() -> Vec<KernelVerdict> {
        let failed = LoadResult::failed(HOSTILE);
        let rejected = LoadResult::Rejected {
            error: HOSTILE.to_owned(),
            log: format!("{HOSTILE}\n0: (bf) r0 = r2\nR2 !read_ok\n{HOSTILE}"),
        };
        let mut verdicts = vec![
            verdict("5.10", HOSTILE, failed),
            verdict("7.3", HOSTILE, rejected),
        ];
        for verdict in &mut verdicts {
            verdict.load.object = HOSTILE.to_owned();
            verdict.load.notes = vec![HOSTILE.to_owned()];
        }
        verdicts
    }

    /// Reads XML to its end, and returns the texts in it.
    fn texts_of(xml: &[u8]) -> String {
        let mut reader = quick_xml::Reader::from_reader(xml);
        reader.config_mut().check_end_names = true;
        let mut texts = String::new();
        loop {
            use quick_xml::events::Event;
            match reader.read_event().unwrap() {
                Event::Eof => return texts,
                Event::Start(tag) | Event::Empty(tag) => {
                    for attribute in tag.attributes() {
                        attribute.unwrap();
                    }
                }
                Event::Text(text) => texts += &text,
                Event::GeneralRef(name) => texts += &format!("&{};", &*name),
                _ => {}
            }
        }
    }

    #[test]
    fn no_form_obeys_what_strangers_wrote() {
        let (verdicts, results) = (hostile_verdicts(), results());
        let is_control = |text: &str| text.contains(|it: char| it.is_control() && it != '\n');
        let junit = junit::as_junit(&verdicts, &results).unwrap();
        let texts = texts_of(&junit);
        let junit = String::from_utf8(junit).unwrap();
        assert!(
            !is_control(&junit) && !junit.contains('\u{ffff}'),
            "{junit:?}"
        );
        assert!(texts.contains("&lt;b&gt;`a`&lt;/b&gt;|&amp;"), "{texts}");
        let markdown = markdown::as_markdown(&verdicts, &results);
        assert!(!is_control(&markdown), "{markdown:?}");
        let outside_code: Vec<&str> = markdown.split("``").step_by(2).collect();
        assert!(
            !outside_code.concat().contains(['<', '@', '&']),
            "{markdown}"
        );
        for verdict in &verdicts {
            let line = format_verdict(verdict, &[]).unwrap();
            assert!(!is_control(&line), "{line:?}");
            let back: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(back["program"], HOSTILE);
        }
    }

    #[test]
    fn a_report_in_markdown() {
        insta::assert_snapshot!(markdown::as_markdown(&verdicts(), &results()));
    }
}
