//! The three ways to one event.

use std::fmt;

use clap::ValueEnum;

use crate::event;

/// The event that all three watch.
pub const CATEGORY: &str = "sched";
pub const EVENT: &str = "sched_process_exec";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Tracepoint = event::TRACEPOINT as isize,
    Raw = event::RAW as isize,
    Btf = event::BTF as isize,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Tracepoint, Self::Raw, Self::Btf];

    /// The way whose number the kernel side wrote into an event.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|way| *way as u32 == number)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tracepoint => "tracepoint",
            Self::Raw => "raw",
            Self::Btf => "btf",
        })
    }
}

/// The value of `--way`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Choice {
    /// The record that the kernel writes; knows no parent process, and needs tracefs
    Tracepoint,
    /// The event's arguments, read through a helper; needs BTF
    Raw,
    /// The event's arguments, whose types the verifier knows; needs BTF
    Btf,
    /// All three at once
    All,
}

impl Choice {
    pub fn ways(self) -> Vec<Way> {
        match self {
            Self::Tracepoint => vec![Way::Tracepoint],
            Self::Raw => vec![Way::Raw],
            Self::Btf => vec![Way::Btf],
            Self::All => Way::ALL.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_sides_numbers_have_ways() {
        for way in Way::ALL {
            assert_eq!(Way::of(way as u32), Some(way));
        }
        assert_eq!(Way::of(3), None);
    }
}
