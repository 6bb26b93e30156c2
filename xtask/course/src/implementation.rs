//! The two ways in which each lesson is written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The library that drives a lesson's programs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    Aya,
    Libbpf,
}

impl Implementation {
    pub const ALL: [Self; 2] = [Self::Aya, Self::Libbpf];
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Implementation::Aya => "aya",
            Implementation::Libbpf => "libbpf",
        })
    }
}
