//! The results: a table for people, a line of JSON for each step and each part.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::commands::test::cost::{Cost, count_repeated};
use crate::commands::test::part::PartResult;
use crate::commands::test::steps::TestStep;

/// What became of a step.
pub struct StepResult {
    pub step: TestStep,
    pub wall_time: Duration,
    pub parts: Vec<PartResult>,
}

impl StepResult {
    pub fn passed(&self) -> bool {
        self.parts.iter().all(|part| part.passed)
    }

    fn whole_cost(&self) -> Cost {
        let mut sum = Cost {
            wall_time: self.wall_time,
            ..Cost::default()
        };
        for part in &self.parts {
            sum.add_part(&part.cost);
        }
        sum
    }
}

const HEAD: &str = "step                       result   wall s    CPU s  VM CPU s   VMs  \
                    booted  peak MB  compiled";

/// What passed within this has no row of its own.
const QUICK: Duration = Duration::from_secs(1);

/// Names of crates in the line about what was compiled several times.
const REPEATED: usize = 12;

/// All steps together took this time: parts of some run beside others.
pub fn write_table(results: &[StepResult], wall_time: Duration, skips: &[String]) -> String {
    let mut table = format!("\n{HEAD}\n");
    let mut whole = Cost {
        wall_time,
        ..Cost::default()
    };
    for result in results {
        let cost = result.whole_cost();
        table += &write_row(&result.step.name(), result.passed(), &cost);
        table += &write_parts(&result.parts);
        whole.add_part(&cost);
    }
    let failed = results.iter().filter(|result| !result.passed()).count();
    table += &write_row("together", failed == 0, &whole);
    let compiled = whole.compiled.iter().map(String::as_str);
    let repeated = count_repeated(compiled.filter(|name| !name.starts_with("build-script-")));
    if !repeated.is_empty() {
        let names: Vec<_> = repeated
            .iter()
            .take(REPEATED)
            .map(|(name, times)| format!("{name} {times}"))
            .collect();
        table += &format!("compiled several times: {}\n", names.join(", "));
    }
    table += &format!("{} passed, {failed} failed\n", results.len() - failed);
    if !skips.is_empty() {
        table += &format!("skipped: {}\n", skips.len());
    }
    for skip in skips {
        table += &format!("  {skip}\n");
    }
    table
}

/// Those that tell something: a step of one part is its own row, and most tests take no time.
fn write_parts(parts: &[PartResult]) -> String {
    if parts.len() < 2 {
        return String::new();
    }
    let is_quick = |part: &&PartResult| part.passed && part.cost.wall_time < QUICK;
    let (quick, shown): (Vec<_>, Vec<_>) = parts.iter().partition(is_quick);
    let mut rows = String::new();
    for part in shown {
        rows += &write_row(&format!("  {}", part.name), part.passed, &part.cost);
    }
    if !quick.is_empty() {
        rows += &format!("  {} of less than 1 s each\n", quick.len());
    }
    rows
}

fn write_row(name: &str, passed: bool, cost: &Cost) -> String {
    let result = if passed { "ok" } else { "FAILED" };
    let row = format!(
        "{name:<26} {result:<7} {:>7.1}  {:>7.1}  {:>8.1}  {:>4}  {:>6}  {:>7}  {:>8}",
        cost.wall_time.as_secs_f64(),
        cost.own_cpu_time().as_secs_f64(),
        cost.vms.cpu_time.as_secs_f64(),
        cost.vms.booted + cost.vms.resumed,
        cost.vms.booted,
        cost.peak_bytes / 1_000_000,
        cost.compiled.len(),
    );
    row + "\n"
}

/// A line of JSON: `--help` tells the fields.
#[derive(Serialize)]
struct Row<'a> {
    step: String,
    part: Option<&'a str>,
    passed: bool,
    seconds: f64,
    cpu_seconds: f64,
    vm_cpu_seconds: f64,
    vm_seconds: f64,
    vms_booted: u32,
    vms_resumed: u32,
    peak_bytes: u64,
    compiled: &'a [String],
}

pub fn write_json(results: &[StepResult]) -> Result<String> {
    let mut text = String::new();
    for result in results {
        let step = result.step.name();
        let whole = result.whole_cost();
        text += &write_json_row(&step, None, result.passed(), &whole)?;
        for part in &result.parts {
            text += &write_json_row(&step, Some(&part.name), part.passed, &part.cost)?;
        }
    }
    Ok(text)
}

fn write_json_row(step: &str, part: Option<&str>, passed: bool, cost: &Cost) -> Result<String> {
    let row = Row {
        step: step.to_owned(),
        part,
        passed,
        seconds: cost.wall_time.as_secs_f64(),
        cpu_seconds: cost.own_cpu_time().as_secs_f64(),
        vm_cpu_seconds: cost.vms.cpu_time.as_secs_f64(),
        vm_seconds: cost.vms.wall_time.as_secs_f64(),
        vms_booted: cost.vms.booted,
        vms_resumed: cost.vms.resumed,
        peak_bytes: cost.peak_bytes,
        compiled: &cost.compiled,
    };
    Ok(serde_json::to_string(&row)? + "\n")
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    write_json(&[tests::sample()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::test::cost::VmCost;

    const WALL_TIME: Duration = Duration::from_secs(90);

    fn part(name: &str, passed: bool, seconds: u64) -> PartResult {
        PartResult {
            name: name.to_owned(),
            passed,
            cost: Cost {
                wall_time: Duration::from_secs(seconds),
                cpu_time: Duration::from_secs(2 * seconds),
                vms: VmCost {
                    booted: 1,
                    resumed: 4,
                    wall_time: Duration::from_secs(seconds),
                    cpu_time: Duration::from_secs(seconds),
                },
                peak_bytes: 345_000_000,
                compiled: vec!["aya".to_owned(), "anyhow".to_owned()],
            },
        }
    }

    pub fn sample() -> StepResult {
        StepResult {
            step: TestStep::Vm,
            wall_time: WALL_TIME,
            parts: vec![
                part("exercises", true, 60),
                part("gallery", false, 50),
                part("picture", true, 0),
            ],
        }
    }

    #[test]
    fn each_part_has_a_row() {
        insta::assert_snapshot!(write_table(&[sample()], WALL_TIME, &[]));
    }

    #[test]
    fn what_was_skipped_is_counted_and_named() {
        let skips = ["logs on 6.12: recorded with another clang".to_owned()];
        let text = write_table(&[sample()], WALL_TIME, &skips);
        let end = "0 passed, 1 failed\nskipped: 1\n  logs on 6.12: recorded with another clang\n";
        assert!(text.ends_with(end), "{text}");
        assert!(!write_table(&[sample()], WALL_TIME, &[]).contains("skipped"));
    }
}
