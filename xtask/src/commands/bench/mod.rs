//! `bench`: what the lessons' programs cost, in Rust and in C side by side.
//!
//! ```text
//!   programs     runs each implementation's demo in turn, in one VM, and observes what it loads
//!   cost         the figures of a program: gathered over rounds, medians, ratios
//!   rounds       both implementations in turn, and medians
//!   own          what a lesson measures by itself: `bench` in its metadata
//!   table        all of it for people
//!   whole_run    `bench run`: what a run costs beyond the boot of its kernel
//!   phases       where the time of a run goes
//! ```

mod cost;
mod own;
mod phases;
mod programs;
mod rounds;
mod table;
mod whole_run;

use anyhow::Result;
use kernel::Architecture;
#[cfg(test)]
pub use own::tests::json_sample as json_sample_of_cases;
use problem::Exit;
#[cfg(test)]
pub use table::tests::json_sample as json_sample_of_programs;
#[cfg(test)]
pub use whole_run::json_sample as json_sample_of_runs;

use crate::pipeline::selection::Selection;

/// What to measure.
pub enum BenchOptions {
    /// The programs of a lesson, or of all.
    Programs {
        lesson: Option<String>,
        kernels: Selection,
        /// What the kernels and the programs are for.
        architectures: Vec<Architecture>,
        /// How often each implementation runs, in turn.
        rounds: u16,
        json: bool,
    },
    /// What `run` costs beyond the boot of its kernel.
    WholeRun {
        kernels: Selection,
        architectures: Vec<Architecture>,
        json: bool,
    },
}

pub fn measure_lessons(options: &BenchOptions) -> Result<Exit> {
    match options {
        BenchOptions::Programs {
            lesson,
            kernels,
            architectures,
            rounds,
            json,
        } => {
            let lesson = lesson.as_deref();
            programs::measure_programs(lesson, kernels, architectures, *rounds, *json)
        }
        BenchOptions::WholeRun {
            kernels,
            architectures,
            json,
        } => whole_run::measure_whole_run(kernels, architectures, *json),
    }
}
