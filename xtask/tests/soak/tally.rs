//! How many runs there were, of which kind, and what became of them.

use std::collections::BTreeMap;

use crate::known::{KINDS, Kind, Round, Uses};
use crate::places::LeftOver;
use crate::watched::EndedRun;
use kernel::MATRIX;

#[derive(Default)]
pub struct Tally {
    cells: BTreeMap<(Kind, &'static str), Cell>,
    /// The same runs by what loads their programs.
    uses: BTreeMap<(Uses, &'static str), Cell>,
    left: BTreeMap<LeftOver, usize>,
    seconds: BTreeMap<Kind, f64>,
    /// Retries by cause, on each kernel.
    causes: BTreeMap<String, BTreeMap<&'static str, usize>>,
    wrong: Vec<String>,
    booted: usize,
}

/// The runs of one kind on one kernel.
#[derive(Clone, Copy, Default)]
struct Cell {
    runs: usize,
    wrong: usize,
    /// Runs that tried something again.
    retried: usize,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.wrong += other.wrong;
        self.retried += other.retried;
    }
}

impl Tally {
    pub fn add_run(&mut self, round: &Round, run: &EndedRun) {
        let one = Cell {
            runs: 1,
            wrong: usize::from(!run.faults.is_empty()),
            retried: usize::from(!run.retries.is_empty()),
        };
        let of_kind = self.cells.entry((round.kind, round.kernel)).or_default();
        of_kind.add(one);
        let of_use = self.uses.entry((run.uses, round.kernel)).or_default();
        of_use.add(one);
        for kind in &run.left {
            *self.left.entry(*kind).or_default() += 1;
        }
        for why in &run.retries {
            let cause = why.split(':').next().unwrap_or_default().to_owned();
            *self
                .causes
                .entry(cause)
                .or_default()
                .entry(round.kernel)
                .or_default() += 1;
        }
        self.booted += usize::from(run.stderr.contains(", booted in "));
        if !run.faults.is_empty() {
            self.wrong.push(format!(
                "round {}: {} on {}: cargo xtask {}: {}",
                round.number,
                round.kind.name(),
                round.kernel,
                run.command,
                run.faults.join("; ")
            ));
        }
    }

    /// A round that did not get as far as its runs.
    pub fn add_panic(&mut self, round: &Round) {
        let cell = self.cells.entry((round.kind, round.kernel)).or_default();
        cell.runs += 1;
        cell.wrong += 1;
        let (number, kind) = (round.number, round.kind.name());
        self.wrong.push(format!(
            "round {number}: {kind} on {}: the test panicked",
            round.kernel
        ));
    }

    pub fn add_seconds(&mut self, kind: Kind, seconds: f64) {
        *self.seconds.entry(kind).or_default() += seconds;
    }

    /// A line for each run that was wrong.
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }

    pub fn as_text(&self) -> String {
        let mut text = format!("\n{:<26}", "");
        for kernel in MATRIX {
            text += &format!("{kernel:>8}");
        }
        text += "   wrong  retried  seconds\n";
        let mut sums = [Cell::default(); MATRIX.len()];
        for kind in KINDS {
            let row = MATRIX.map(|kernel| self.cell(kind, kernel));
            if row.iter().all(|cell| cell.runs == 0) {
                continue;
            }
            let seconds = self.seconds.get(&kind).copied().unwrap_or_default();
            text += &format_row(kind.name(), &row, &format!("{seconds:.0}"));
            for (sum, cell) in sums.iter_mut().zip(row) {
                sum.add(cell);
            }
        }
        let seconds: f64 = self.seconds.values().sum();
        text += &format_row("all", &sums, &format!("{seconds:.0}"));
        for uses in [Uses::Aya, Uses::Libbpf, Uses::Both, Uses::Neither] {
            let cell = |kernel| self.uses.get(&(uses, kernel)).copied().unwrap_or_default();
            text += &format_row(uses.name(), &MATRIX.map(cell), "");
        }
        let mut all = Cell::default();
        sums.into_iter().for_each(|sum| all.add(sum));
        let one_in = match all.retried {
            0 => "none".to_owned(),
            retried => format!("1 in {}", all.runs / retried),
        };
        text += &format!(
            "{} runs, {} wrong; with a retry: {} ({one_in}); lessons that were booted: {}\n",
            all.runs, all.wrong, all.retried, self.booted
        );
        let left = LeftOver::ALL.map(|kind| {
            let count = self.left.get(&kind).copied().unwrap_or_default();
            format!("{count} {}", kind.name())
        });
        text += &format!("left behind: {}\n", left.join(", "));
        for (cause, kernels) in &self.causes {
            let on: Vec<String> = kernels
                .iter()
                .map(|(kernel, times)| format!("{times} on {kernel}"))
                .collect();
            text += &format!("  {cause}: {}\n", on.join(", "));
        }
        for wrong in &self.wrong {
            text += &format!("  wrong: {wrong}\n");
        }
        text
    }

    fn cell(&self, kind: Kind, kernel: &'static str) -> Cell {
        self.cells.get(&(kind, kernel)).copied().unwrap_or_default()
    }
}

fn format_row(name: &str, row: &[Cell], seconds: &str) -> String {
    let mut text = format!("{name:<26}");
    let mut all = Cell::default();
    for cell in row {
        text += &format!("{:>8}", cell.runs);
        all.add(*cell);
    }
    text += &format!("{:>8}{:>9}{seconds:>9}", all.wrong, all.retried);
    text.trim_end().to_owned() + "\n"
}
