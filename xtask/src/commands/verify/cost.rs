//! What verification cost on each kernel: `verify --cost`.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bpf_verifier_log::ProgramCost;
use plan::load::LoadResult;
use problem::Problem;

use super::kernel_name::KernelName;
use super::kernel_verdict::KernelVerdict;
use super::options::CostQuestion;
use crate::commands::explain::cost_comparison::compare_programs;
use crate::commands::explain::cost_input::{VerdictCost, read_verdicts};
use crate::commands::explain::cost_table::{count_as_text, count_processed, program_as_text};
use crate::output::indent::indent_lines;

/// One program on one kernel.
#[derive(Clone, Debug)]
pub struct KernelCost {
    object: String,
    program: String,
    kernel: KernelName,
    cost: ProgramCost,
}

impl KernelCost {
    fn name(&self) -> String {
        format!("{} of {} on {}", self.program, self.object, self.kernel)
    }
}

/// Of those verdicts that have a cost.
pub fn collect_costs(verdicts: &[KernelVerdict]) -> Result<Vec<KernelCost>> {
    let mut costs = Vec::new();
    for verdict in verdicts {
        let Some(cost) = &verdict.load.cost else {
            continue;
        };
        let mut cost: ProgramCost = serde_json::from_value(cost.clone())?;
        // The load with the log may have been ended before its time.
        if let LoadResult::Accepted(accepted) = &verdict.load.result {
            cost.processed = cost.processed.max(accepted.processed.map(u64::from));
        }
        costs.push(KernelCost {
            object: verdict.load.object.clone(),
            program: verdict.load.program.clone(),
            kernel: verdict.kernel.clone(),
            cost,
        });
    }
    Ok(costs)
}

/// Before minutes are spent: what is to be compared with must be there.
pub fn read_earlier(question: &CostQuestion) -> Result<Option<Vec<VerdictCost>>, Problem> {
    question
        .compare
        .as_deref()
        .map(read_verdicts_of)
        .transpose()
}

fn read_verdicts_of(path: &Path) -> Result<Vec<VerdictCost>, Problem> {
    let shown = path.display();
    let help = "it is what this printed earlier: cargo xtask verify OBJECT --cost --json";
    let text = fs::read(path)
        .map_err(|error| Problem::usage(format!("cannot read {shown}: {error}")).help(help))?;
    let verdicts = read_verdicts(&text);
    if verdicts.is_empty() {
        return Err(Problem::usage(format!("{shown} tells no cost")).help(help));
    }
    Ok(verdicts)
}

/// A table of all programs and kernels, and the most expensive one at length.
pub fn costs_as_text(costs: &[KernelCost], earlier: Option<Vec<VerdictCost>>) -> String {
    let mut text = "\nwhat verification cost\n".to_owned();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for cost in costs {
        let program = (cost.object.as_str(), cost.program.as_str());
        if !told.contains(&program) {
            told.push(program);
            text += &rows_of(program, costs);
        }
    }
    let Some(most) = costs.iter().max_by_key(|it| count_processed(&it.cost)) else {
        return text + "  no kernel told it\n";
    };
    text += &format!("\nthe most expensive: {}\n\n", most.name());
    text += &indent_lines(&program_as_text(&most.cost), 2);
    if let Some(earlier) = earlier {
        text += "\nwhat changed\n";
        text += &indent_lines(&compare_costs(costs, earlier), 2);
    }
    text
}

fn rows_of((object, program): (&str, &str), costs: &[KernelCost]) -> String {
    let mut heads = format!("  {:<14}", "on Linux");
    let mut insns = format!("  {:<14}", "instructions");
    let mut states = format!("  {:<14}", "states kept");
    let of_program = costs.iter();
    for it in of_program.filter(|it| it.object == object && it.program == program) {
        heads += &format!("{:>11}", it.kernel);
        // A program that is refused at sight costs nothing.
        let count = Some(count_processed(&it.cost)).filter(|count| *count > 0);
        let total = it.cost.states.map(|states| states.total);
        let as_cell = |count: Option<u64>| count.map_or("-".to_owned(), count_as_text);
        insns += &format!("{:>11}", as_cell(count));
        states += &format!("{:>11}", as_cell(total.filter(|_| count.is_some())));
    }
    let mut text = format!("  {program} of {object}\n");
    for row in [heads, insns, states] {
        text += &format!("  {}\n", row.trim_end());
    }
    text
}

fn compare_costs(costs: &[KernelCost], earlier: Vec<VerdictCost>) -> String {
    let named = |it: &KernelCost| {
        let mut cost = it.cost.clone();
        cost.name = Some(it.name());
        cost
    };
    let now: Vec<ProgramCost> = costs.iter().map(named).collect();
    let before: Vec<ProgramCost> = earlier.into_iter().map(VerdictCost::into_program).collect();
    compare_programs(&before, &now)
}

/// A line for each program and kernel over the budget.
pub fn describe_excess(question: &CostQuestion, costs: &[KernelCost]) -> Vec<String> {
    let Some(budget) = question.budget else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for it in costs {
        let insns = count_processed(&it.cost);
        if insns > budget {
            lines.push(format!(
                "over the budget of {}: {} took {} instructions",
                count_as_text(budget),
                it.name(),
                count_as_text(insns)
            ));
        }
    }
    lines
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::commands::verify::tests::named;

    pub fn sample(kernel: &str, insns: u64) -> KernelCost {
        let log = format!(
            "; return 0; @ a.c:3\n0: (b7) r0 = 0\n1: (95) exit\n\
             processed {insns} insns (limit 1000000) max_states_per_insn 1 total_states 3 \
             peak_states 3 mark_read 0\n"
        );
        KernelCost {
            object: "a.o".into(),
            program: "first".into(),
            kernel: named(kernel),
            cost: bpf_verifier_log::measure_cost(log.as_bytes()).remove(0),
        }
    }

    pub fn sample_as_json() -> serde_json::Value {
        serde_json::to_value(sample("5.10", 2).cost).unwrap()
    }

    #[test]
    fn kernels_stand_beside_each_other() {
        let costs = [sample("5.10", 2), sample("7.3", 5000)];
        let earlier = costs.iter().map(|it| {
            let mut cost = it.cost.clone();
            cost.processed = Some(4000);
            VerdictCost {
                object: it.object.clone(),
                program: it.program.clone(),
                kernel: it.kernel.series.clone(),
                architecture: it.kernel.architecture,
                cost,
            }
        });
        insta::assert_snapshot!(costs_as_text(&costs, Some(earlier.collect())));
    }

    #[test]
    fn each_kernel_over_the_budget_is_named() {
        let costs = [sample("5.10", 2), sample("7.3", 5000)];
        let question = |budget| CostQuestion {
            budget,
            compare: None,
        };
        assert_eq!(
            describe_excess(&question(Some(4999)), &costs),
            ["over the budget of 4,999: first of a.o on 7.3 took 5,000 instructions"]
        );
        assert_eq!(describe_excess(&question(Some(5000)), &costs), [""; 0]);
        assert_eq!(describe_excess(&question(None), &costs), [""; 0]);
    }
}
