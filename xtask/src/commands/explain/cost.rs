//! `explain --cost` and `explain --compare`: what verification cost, from a log of level 2.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bpf_verifier_log::ProgramCost;
use bpf_verifier_log::report::ReportFormat;
use problem::{Exit, Problem};

use super::cost_comparison::compare_programs;
use super::cost_input::{COSTS_VERSION, CostsJson, name_of, read_costs};
use super::cost_table::{count_as_text, count_processed, program_as_text};
use crate::output::plain_text::clean_json;
use crate::output::screen::{self, Mark};

/// What `explain --cost` is asked.
pub struct CostOptions {
    /// `-` is standard input.
    pub file: PathBuf,
    /// Instructions that a program may take.
    pub budget: Option<u64>,
}

pub fn explain_cost(options: &CostOptions, format: ReportFormat) -> Result<Exit> {
    let json = match format {
        ReportFormat::Text => false,
        ReportFormat::Json => true,
        other => return Err(no_such_form(other).into()),
    };
    let programs = read_costs(&options.file)?;
    let over = describe_excess(&programs, options.budget);
    let is_empty = programs.is_empty();
    let text = match (json, is_empty) {
        (true, _) => costs_as_json(programs)?,
        (false, true) => NO_INSTRUCTIONS.to_owned(),
        (false, false) => {
            let programs: Vec<String> = programs.iter().map(program_as_text).collect();
            programs.join("\n")
        }
    };
    screen::write_verdict(&text)?;
    for line in &over {
        screen::show_marked(Mark::Bad, line);
    }
    Ok(if is_empty || !over.is_empty() {
        Exit::NotYet
    } else {
        Exit::Done
    })
}

fn no_such_form(format: ReportFormat) -> Problem {
    Problem::usage(format!(
        "--format {} is about a rejection, and --cost tells none",
        format.name()
    ))
    .help("with --cost, there is --format text and --format json")
}

pub fn explain_comparison(old: &Path, new: &Path) -> Result<Exit> {
    if old == Path::new("-") && new == Path::new("-") {
        return Err(Problem::usage("only one of the two can be standard input")
            .help("keep the other in a file: cargo xtask explain --compare old.log -")
            .into());
    }
    let text = compare_programs(&read_measured(old)?, &read_measured(new)?);
    screen::write_verdict(&text)?;
    Ok(Exit::Done)
}

/// Without instructions on one side, there is nothing to compare.
fn read_measured(file: &Path) -> Result<Vec<ProgramCost>, Problem> {
    let programs = read_costs(file)?;
    if programs.is_empty() {
        let what = format!("{} tells no cost: no instructions are in it", name_of(file));
        return Err(Problem::usage(what)
            .help("--compare takes logs of level 2, or what --cost --json printed")
            .help("where such a log comes from: cargo xtask explain --cost FILE"));
    }
    Ok(programs)
}

/// A line for each program that took more instructions than it may.
fn describe_excess(programs: &[ProgramCost], budget: Option<u64>) -> Vec<String> {
    let Some(budget) = budget else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for program in programs {
        let insns = count_processed(program);
        if insns > budget {
            let name = program.name.as_deref().unwrap_or("a program");
            lines.push(format!(
                "over the budget: {name} took {} instructions, {} more than {}",
                count_as_text(insns),
                count_as_text(insns - budget),
                count_as_text(budget)
            ));
        }
    }
    lines
}

fn costs_as_json(programs: Vec<ProgramCost>) -> Result<String> {
    let costs = CostsJson {
        version: COSTS_VERSION,
        programs,
    };
    let json = serde_json::to_string_pretty(&costs).context("cannot write JSON")?;
    Ok(clean_json(&json).into_owned() + "\n")
}

const NO_INSTRUCTIONS: &str = "\
no instructions: nothing in this text looks like a log of the verifier that shows them

What verification cost is in a log of level 2. Loaders print it when they are asked to:
  aya          EbpfLoader::new()
                   .verifier_log_level(VerifierLogLevel::VERBOSE | VerifierLogLevel::STATS)
               (it shows the log of programs that are rejected only)
  libbpf       kernel_log_level = 2 in bpf_object_open_opts
  libbpf-rs    OpenProgramMut::set_log_level(2)
  ebpf-go      ProgramOptions.LogLevel = LogLevelInstruction | LogLevelStats
  veristat     veristat -v -l2 OBJECT
Or let a kernel verify the object here: cargo xtask verify OBJECT --cost
";

#[cfg(test)]
pub mod tests {
    use super::*;
    use bpf_verifier_log::measure_cost;

    /// A log with all that can be said of one.
    fn sample() -> Vec<ProgramCost> {
        let logs = checkout::workspace::workspace_root();
        let log = logs.join("xtask/bpf-verifier-log/tests/cost/rounds-7.3.log");
        measure_cost(&std::fs::read(log).unwrap())
    }

    pub fn json_sample() -> Result<String> {
        costs_as_json(sample())
    }

    /// Costs that somebody else wrote down.
    #[test]
    fn numbers_without_measure_are_shown() {
        let mut programs = sample();
        for program in &mut programs {
            for line in &mut program.lines {
                (line.insns, line.advice) = (u64::MAX, Some(usize::MAX));
                line.text = "the same".to_owned();
            }
            for function in &mut program.functions {
                (function.insns, function.name) = (u64::MAX, None);
            }
            let (one, two) = (program.functions[0].clone(), program.functions[0].clone());
            program.functions.extend([one, two]);
            assert!(program_as_text(program).contains("18,446,744,073,709,551,615"));
        }
        compare_programs(&sample(), &programs);
    }

    #[test]
    fn a_program_as_text() {
        let texts: Vec<String> = sample().iter().map(program_as_text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn a_budget_that_is_exceeded_is_told_with_the_excess() {
        let mut programs = sample();
        let insns = count_processed(&programs[0]);
        assert_eq!(describe_excess(&programs, Some(insns)), [""; 0]);
        programs[0].name = Some("rounds".into());
        programs[0].processed = Some(1_234_567);
        assert_eq!(
            describe_excess(&programs, Some(1_000_000)),
            ["over the budget: rounds took 1,234,567 instructions, 234,567 more than 1,000,000"]
        );
    }

    #[test]
    fn a_comparison_names_what_got_more_and_less() {
        let logs = checkout::workspace::workspace_root().join("xtask/bpf-verifier-log/tests/cost");
        let read = |name: &str| read_costs(&logs.join(name)).unwrap();
        let text = compare_programs(&read("calls-7.3.log"), &read("calls_global-7.3.log"));
        insta::assert_snapshot!(text);
    }

    /// Linux 5.10 names neither functions nor files.
    #[test]
    fn kernels_that_tell_different_things_are_compared_by_what_both_tell() {
        let logs = checkout::workspace::workspace_root().join("xtask/bpf-verifier-log/tests/cost");
        let read = |name: &str| read_costs(&logs.join(name)).unwrap();
        let text = compare_programs(&read("rounds-5.10.log"), &read("rounds-7.3.log"));
        assert_eq!(
            text.lines().take(3).collect::<Vec<_>>(),
            [
                "rounds: 768 instructions, now 766 (99.7 %)",
                "  functions",
                "           -2        768 to       766  the program"
            ]
        );
        assert!(!text.contains("sum.table->slots"), "{text}");
        let same = compare_programs(&read("rounds-7.3.log"), &read("rounds-7.3.log"));
        assert_eq!(same, "rounds: 766 instructions, as before\n");
    }

    #[test]
    fn a_log_that_was_cut_took_at_least_what_it_shows() {
        let logs = checkout::workspace::workspace_root();
        let log = logs.join("xtask/bpf-verifier-log/tests/cost/calls-7.3.log");
        let cut = measure_cost(&std::fs::read(log).unwrap()[..40_000]);
        let text = program_as_text(&cut[0]);
        assert!(
            text.starts_with("calls: at least 135 instructions, "),
            "{text}"
        );
        assert!(text.contains("  mix, called once\n"), "{text}");
    }

    #[test]
    fn json_of_another_version_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("costs.json");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read_costs(&file)
        };
        let json = json_sample().unwrap();
        assert_eq!(read(&json).unwrap().len(), 1);
        let newer = json.replace("\"version\": 1", "\"version\": 2");
        let error = read(&newer).unwrap_err().to_string();
        assert!(error.contains("is JSON of version 2"), "{error}");
        assert!(read("{\"version\": 2}").unwrap().is_empty());
    }
}
