//! `bench`: what the lessons' programs cost, in Rust and in C side by side.
//!
//! ```text
//!   programs     runs each implementation's demo in turn, in one VM, while the guest observes what it loads
//!   cost         the figures of a program: gathered over rounds, medians, ratios
//!   own          what a lesson measures by itself: `bench` in its metadata
//!   table        all of it for people
//!   whole_run    `bench run`: what a run costs beyond the boot of its kernel
//! ```

mod cost;
mod own;
mod programs;
mod table;
mod whole_run;

use anyhow::Result;

use crate::cli::{Bench, Part};
use crate::problem::Exit;

pub fn run(options: &Bench) -> Result<Exit> {
    match &options.part {
        None => programs::run(options),
        Some(Part::Run { kernel, json }) => whole_run::run(kernel, *json),
    }
}

/// The middle one; of an even number, the lower of the two in the middle: it was measured.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_was_measured() {
        assert_eq!(median(vec![3, 1, 2]), Some(2));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median::<u32>(vec![]), None);
    }
}
