//! The architectures that an option can name.

use std::fmt;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use kernel::Architecture;

/// `--arch` of a command that builds programs and runs them in VMs.
#[derive(Clone, Copy, Debug, Args)]
pub struct ArchitectureArgument {
    /// amd64, arm64 or both: what the VM is, and what the programs are built for; without it, what
    /// this machine is
    #[arg(
        long = "arch",
        value_name = "ARCH",
        default_value_t = WhichArchitecture::default(),
        hide_possible_values = true
    )]
    pub architecture: WhichArchitecture,
}

impl ArchitectureArgument {
    pub fn chosen_architectures(self) -> Vec<Architecture> {
        self.architecture.chosen_architectures()
    }
}

/// `--arch` of a command that has one VM.
#[derive(Clone, Copy, Debug, Args)]
pub struct OneArchitectureArgument {
    /// amd64 or arm64: what the VM is, and what the programs are built for; without it, what this
    /// machine is
    #[arg(long = "arch", value_name = "ARCH", default_value_t = Architecture::HOST)]
    pub architecture: Architecture,
}

/// The architectures to run on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhichArchitecture {
    One(Architecture),
    Both,
}

impl WhichArchitecture {
    pub fn chosen_architectures(self) -> Vec<Architecture> {
        match self {
            Self::One(architecture) => vec![architecture],
            Self::Both => Architecture::ALL.to_vec(),
        }
    }
}

impl Default for WhichArchitecture {
    fn default() -> Self {
        Self::One(Architecture::HOST)
    }
}

/// As it is typed after `--arch`.
impl fmt::Display for WhichArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(architecture) => architecture.fmt(f),
            Self::Both => f.write_str("both"),
        }
    }
}

impl ValueEnum for WhichArchitecture {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::One(Architecture::Amd64),
            Self::One(Architecture::Arm64),
            Self::Both,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::One(architecture) => {
                PossibleValue::new(architecture.name()).alias(architecture.machine())
            }
            Self::Both => PossibleValue::new("both"),
        })
    }
}
