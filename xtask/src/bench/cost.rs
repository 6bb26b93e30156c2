//! What a program costs: the figures that the kernel gives, over several rounds, and how two implementations compare.

use plan::Program;

use super::median;

/// The course's aim: Rust costs at most this many times what C costs.
pub const AIM: f64 = 1.15;

/// Runs of a round from which its time says something. In an emulated VM the first run of two instructions took 60 us,
/// the time of translating them.
pub const ENOUGH_RUNS: u64 = 1000;

/// libbpf loads this one to see how the kernel treats contexts. It is the only probe of a library that has BTF; the
/// guest leaves out all others.
const PROBE: &str = "det_arg_ctx";

/// What is measured, as `--json` calls it: instructions of the bytecode as the kernel keeps it (8 bytes each), bytes of
/// machine code, instructions that the verifier followed on all paths together, time.
pub const FIGURES: [&str; 4] =
    ["instructions", "jited_bytes", "verified_instructions", "nanoseconds_per_run"];

/// Where [`FIGURES`] has the time.
pub const TIME: usize = 3;

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
    /// Rust to C: medians of what each round gave.
    pub ratios: Figures,
    /// The least and the greatest ratio of the times.
    pub time_range: Option<(f64, f64)>,
}

pub fn is_above_aim(ratio: f64) -> bool {
    // As precisely as it is shown.
    (ratio * 100.0).round() > (AIM * 100.0).round()
}

/// What one round of one implementation loaded. Of a program that was loaded several times the largest counts, and all
/// its runs.
pub fn of_round(programs: &[Program]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = Vec::new();
    for program in programs.iter().filter(|program| program.name != PROBE) {
        let new = of_program(program);
        match costs.iter_mut().find(|seen| is_same(seen, &new)) {
            Some(seen) => seen.add(&new),
            None => costs.push(new),
        }
    }
    for cost in &mut costs {
        let runs = (cost.runs >= ENOUGH_RUNS).then_some(cost.runs as f64);
        cost.figures[TIME] = cost.figures[TIME].zip(runs).map(|(time, runs)| time / runs);
    }
    costs
}

/// The figures of a program, with the time of all its runs.
fn of_program(program: &Program) -> Cost {
    let figures = [
        Some(f64::from(program.translated_bytes / 8)),
        (program.jited_bytes > 0).then_some(f64::from(program.jited_bytes)),
        program.verified.map(f64::from),
        Some(program.nanoseconds as f64),
    ];
    Cost { program: program.name.clone(), kind: program.kind, figures, runs: program.runs }
}

impl Cost {
    fn add(&mut self, other: &Self) {
        for (figure, value) in self.figures.iter_mut().enumerate() {
            let both = value.zip(other.figures[figure]);
            *value = both.map(|(one, other)| if figure == TIME { one + other } else { one.max(other) });
        }
        self.runs += other.runs;
    }
}

/// The type counts too: of a name the kernel keeps no more than 15 bytes.
fn is_same(one: &Cost, other: &Cost) -> bool {
    one.program == other.program && one.kind == other.kind
}

/// What the rounds of aya and those of libbpf gave. Programs of the same name stand side by side; the others stand
/// alone, those of aya first.
pub fn pairs([aya, libbpf]: &[Vec<Vec<Cost>>; 2]) -> Vec<Pair> {
    let mut seen: Vec<&Cost> = Vec::new();
    for cost in aya.iter().chain(libbpf).flatten() {
        if !seen.iter().any(|other| is_same(other, cost)) {
            seen.push(cost);
        }
    }
    seen.into_iter().map(|cost| pair(cost, &of_each_round(aya, cost), &of_each_round(libbpf, cost))).collect()
}

fn of_each_round<'a>(rounds: &'a [Vec<Cost>], wanted: &Cost) -> Vec<Option<&'a Cost>> {
    rounds.iter().map(|round| round.iter().find(|cost| is_same(cost, wanted))).collect()
}

fn pair(named: &Cost, aya: &[Option<&Cost>], libbpf: &[Option<&Cost>]) -> Pair {
    let mut ratios: [Vec<f64>; FIGURES.len()] = Default::default();
    for (aya, libbpf) in aya.iter().zip(libbpf).filter_map(|(aya, libbpf)| aya.zip(*libbpf)) {
        for (figure, ratios) in ratios.iter_mut().enumerate() {
            ratios.extend(ratio(aya.figures[figure], libbpf.figures[figure]));
        }
    }
    let least = ratios[TIME].iter().copied().reduce(f64::min);
    let greatest = ratios[TIME].iter().copied().reduce(f64::max);
    Pair {
        program: named.program.clone(),
        kind: named.kind,
        aya: medians(aya),
        libbpf: medians(libbpf),
        time_range: least.zip(greatest),
        ratios: ratios.map(median),
    }
}

pub fn ratio(aya: Option<f64>, libbpf: Option<f64>) -> Option<f64> {
    aya.zip(libbpf).map(|(aya, libbpf)| aya / libbpf).filter(|ratio| ratio.is_finite())
}

fn medians(rounds: &[Option<&Cost>]) -> Option<Cost> {
    let costs: Vec<&Cost> = rounds.iter().flatten().copied().collect();
    let first = costs.first()?;
    let figures =
        std::array::from_fn(|figure| median(costs.iter().filter_map(|cost| cost.figures[figure]).collect()));
    let runs = median(costs.iter().map(|cost| cost.runs).collect())?;
    Some(Cost { program: first.program.clone(), kind: first.kind, figures, runs })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn program(name: &str, instructions: u32, runs: u64, nanoseconds: u64) -> Program {
        Program {
            name: name.to_owned(),
            kind: 2,
            translated_bytes: instructions * 8,
            jited_bytes: instructions * 5,
            verified: Some(instructions),
            runs,
            nanoseconds,
        }
    }

    #[test]
    fn a_program_that_is_loaded_twice_is_one_with_all_runs() {
        let costs = of_round(&[program("enter", 10, 800, 8_000), program("enter", 12, 1200, 32_000)]);
        let [cost] = &costs[..] else { panic!("{costs:?}") };
        assert_eq!(cost.figures, [Some(12.0), Some(60.0), Some(12.0), Some(20.0)]);
        assert_eq!(cost.runs, 2000);
    }

    #[test]
    fn few_runs_give_no_time_and_a_missing_figure_stays_missing() {
        let old =
            Program { verified: None, jited_bytes: 0, ..program("enter", 10, ENOUGH_RUNS - 1, 1 << 20) };
        assert_eq!(of_round(&[old])[0].figures, [Some(10.0), None, None, None]);
    }

    #[test]
    fn the_probe_with_btf_is_left_out() {
        assert_eq!(of_round(&[program("det_arg_ctx", 4, 0, 0)]), []);
    }

    #[test]
    fn programs_of_one_name_and_type_are_compared_round_by_round() {
        let round = |time: u64| of_round(&[program("enter", 10, 1000, time * 1000)]);
        let alone = of_round(&[program("exit", 5, 0, 0), Program { kind: 26, ..program("enter", 7, 0, 0) }]);
        let libbpf = vec![[round(10), alone].concat(), round(20), round(100)];
        let pairs = pairs(&[vec![round(11), round(30), round(100)], libbpf]);
        assert_eq!(pairs[0].ratios, [Some(1.0), Some(1.0), Some(1.0), Some(1.1)]);
        assert_eq!(pairs[0].time_range, Some((1.0, 1.5)));
        assert_eq!(pairs[0].aya.as_ref().map(|cost| cost.figures[TIME]), Some(Some(30.0)));
        assert!(pairs[1..].iter().all(|pair| pair.aya.is_none() && pair.ratios == [None; 4]), "{pairs:#?}");
        assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn the_aim_itself_is_not_above_it() {
        assert!(!is_above_aim(1.15) && !is_above_aim(1.154) && is_above_aim(1.156));
    }
}
