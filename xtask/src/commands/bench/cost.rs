//! What a program costs: the figures that the kernel gives, over several rounds, and how two
//! implementations compare.

use plan::ProgramInfo;
use testvm::NANOSECONDS;

use super::rounds::find_median;

/// The course's aim: Rust costs at most this many times what C costs.
pub const AIM: f64 = 1.15;

/// libbpf loads this one to see how the kernel treats contexts. It is the only probe of a library
/// that has BTF; the guest leaves out all others.
const PROBE: &str = "det_arg_ctx";

/// What is measured, as `--json` calls it: instructions of the bytecode as the kernel keeps it (8
/// bytes each), bytes of machine code, instructions that the verifier followed on all paths
/// together, machine instructions of a run with all that the program called.
pub const FIGURES: [&str; 4] = [
    "instructions",
    "jited_bytes",
    "verified_instructions",
    "executed_per_run",
];

/// Where [`FIGURES`] has what depends on the number of runs.
const EXECUTED: usize = 3;

/// A value for each of [`FIGURES`], as far as it is known.
pub type Figures = [Option<f64>; FIGURES.len()];

/// A program of one implementation, in one round or as the median of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    pub program: String,
    pub kind: u32,
    pub figures: Figures,
    pub runs: u64,
}

/// A program in both implementations, or in the one that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub program: String,
    pub kind: u32,
    pub aya: Option<Cost>,
    pub libbpf: Option<Cost>,
    /// Rust to C.
    pub ratios: Figures,
}

pub fn is_above_aim(ratio: f64) -> bool {
    // As precisely as it is shown.
    (ratio * 100.0).round() > (AIM * 100.0).round()
}

/// What one round of one implementation loaded. Of a program that was loaded several times the
/// largest counts, and all its runs.
pub fn of_round(programs: &[ProgramInfo]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Vec::new();
    for program in programs.iter().filter(|program| program.name != PROBE) {
        let new = of_program(program);
        match costs.iter_mut().find(|seen| is_same(seen, &new)) {
            Some(seen) => seen.add(&new),
            None => costs.push(new),
        }
    }
    for cost in &mut costs {
        cost.figures[EXECUTED] = cost_ratio(cost.figures[EXECUTED], Some(cost.runs as f64));
    }
    costs
}

/// The figures of a program, with what was executed in all its runs.
fn of_program(program: &ProgramInfo) -> Cost {
    let figures = [
        Some(f64::from(program.xlated_prog_len / 8)),
        (program.jited_prog_len > 0).then_some(f64::from(program.jited_prog_len)),
        program.verified_insns.map(f64::from),
        Some(program.run_time_ns as f64 / NANOSECONDS as f64),
    ];
    Cost {
        program: program.name.clone(),
        kind: program.prog_type,
        figures,
        runs: program.run_cnt,
    }
}

impl Cost {
    fn add(&mut self, other: &Self) {
        for (figure, value) in self.figures.iter_mut().enumerate() {
            let both = value.zip(other.figures[figure]);
            *value = both.map(|(one, other)| {
                if figure == EXECUTED {
                    one + other
                } else {
                    one.max(other)
                }
            });
        }
        self.runs += other.runs;
    }
}

/// The type counts too: of a name the kernel keeps no more than 15 bytes.
fn is_same(one: &Cost, other: &Cost) -> bool {
    one.program == other.program && one.kind == other.kind
}

/// What the rounds of aya and those of libbpf gave. Programs of the same name stand side by side;
/// the others stand alone, those of aya first.
pub fn pair_costs([aya, libbpf]: &[Vec<Vec<Cost>>; 2]) -> Vec<Pair> {
    let mut seen: Vec<&Cost> = Vec::new();
    for cost in aya.iter().chain(libbpf).flatten() {
        if !seen.iter().any(|other| is_same(other, cost)) {
            seen.push(cost);
        }
    }
    seen.into_iter()
        .map(|cost| pair(cost, medians(aya, cost), medians(libbpf, cost)))
        .collect()
}

fn pair(named: &Cost, aya: Option<Cost>, libbpf: Option<Cost>) -> Pair {
    let of =
        |cost: &Option<Cost>, figure: usize| cost.as_ref().and_then(|cost| cost.figures[figure]);
    let ratios = std::array::from_fn(|figure| cost_ratio(of(&aya, figure), of(&libbpf, figure)));
    Pair {
        program: named.program.clone(),
        kind: named.kind,
        aya,
        libbpf,
        ratios,
    }
}

pub fn cost_ratio(aya: Option<f64>, libbpf: Option<f64>) -> Option<f64> {
    aya.zip(libbpf)
        .map(|(aya, libbpf)| aya / libbpf)
        .filter(|ratio| ratio.is_finite())
}

/// The median of each figure of a program, if any round had it.
fn medians(rounds: &[Vec<Cost>], wanted: &Cost) -> Option<Cost> {
    let costs: Vec<&Cost> = rounds
        .iter()
        .flatten()
        .filter(|cost| is_same(cost, wanted))
        .collect();
    let figures = std::array::from_fn(|figure| {
        find_median(
            costs
                .iter()
                .filter_map(|cost| cost.figures[figure])
                .collect(),
        )
    });
    let runs = find_median(costs.iter().map(|cost| cost.runs).collect())?;
    Some(Cost {
        program: wanted.program.clone(),
        kind: wanted.kind,
        figures,
        runs,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn program(name: &str, instructions: u32, runs: u64, nanoseconds: u64) -> ProgramInfo {
        ProgramInfo {
            name: name.to_owned(),
            prog_type: 2,
            xlated_prog_len: instructions * 8,
            jited_prog_len: instructions * 5,
            verified_insns: Some(instructions),
            run_cnt: runs,
            run_time_ns: nanoseconds,
        }
    }

    #[test]
    fn a_program_that_is_loaded_twice_is_one_with_all_runs() {
        let costs = of_round(&[program("enter", 10, 1, 100), program("enter", 12, 3, 700)]);
        let [cost] = &costs[..] else {
            panic!("{costs:?}")
        };
        assert_eq!(
            cost.figures,
            [Some(12.0), Some(60.0), Some(12.0), Some(50.0)]
        );
        assert_eq!(cost.runs, 4);
    }

    #[test]
    fn what_is_not_known_has_no_figure() {
        let old = ProgramInfo {
            verified_insns: None,
            jited_prog_len: 0,
            ..program("enter", 10, 0, 0)
        };
        assert_eq!(of_round(&[old])[0].figures, [Some(10.0), None, None, None]);
    }

    #[test]
    fn the_probe_with_btf_is_left_out() {
        assert_eq!(of_round(&[program("det_arg_ctx", 4, 0, 0)]), []);
    }

    #[test]
    fn programs_of_one_name_and_type_are_compared_by_their_medians() {
        let round = |executed: u64| of_round(&[program("enter", 10, 10, executed * 40)]);
        let alone = of_round(&[
            program("exit", 5, 0, 0),
            ProgramInfo {
                prog_type: 26,
                ..program("enter", 7, 0, 0)
            },
        ]);
        let libbpf = vec![[round(10), alone].concat(), round(20), round(900)];
        let pairs = pair_costs(&[vec![round(30), round(11), round(100)], libbpf]);
        assert_eq!(
            pairs[0].ratios,
            [Some(1.0), Some(1.0), Some(1.0), Some(1.5)]
        );
        assert!(
            pairs[1..]
                .iter()
                .all(|pair| pair.aya.is_none() && pair.ratios == [None; 4]),
            "{pairs:#?}"
        );
        assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn the_aim_itself_is_not_above_it() {
        assert!(!is_above_aim(1.15) && !is_above_aim(1.154) && is_above_aim(1.156));
    }
}
