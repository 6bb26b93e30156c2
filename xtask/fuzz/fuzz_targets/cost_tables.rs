//! `explain --cost` and `--compare` with files of JSON, and the cost that a loader in a guest
//! tells.

#![no_main]

use bpf_verifier_log::{ProgramCost, measure_cost};
use libfuzzer_sys::fuzz_target;
use xtask::commands::explain::cost_comparison::compare_programs;
use xtask::commands::explain::cost_input::{CostsJson, VerdictCost, read_verdicts};
use xtask::commands::explain::cost_table::program_as_text;

fuzz_target!(|input: &[u8]| {
    let mut programs: Vec<ProgramCost> = measure_cost(input);
    let costs = serde_json::from_slice::<CostsJson>(input);
    programs.extend(costs.map_or_else(|_| Vec::new(), |costs| costs.programs));
    let verdicts = read_verdicts(input).into_iter();
    programs.extend(verdicts.map(VerdictCost::into_program));
    for program in &programs {
        program_as_text(program);
    }
    let (old, new) = programs.split_at(programs.len() / 2);
    compare_programs(old, new);
    compare_programs(new, old);
});
