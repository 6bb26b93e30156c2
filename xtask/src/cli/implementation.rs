//! The libraries that an option can name.

use clap::ValueEnum;
use course::Implementation;

/// The implementations to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Which {
    Aya,
    #[value(alias = "libbpf-rs")]
    Libbpf,
    Both,
}

impl Which {
    pub fn chosen_implementations(self) -> Vec<Implementation> {
        match self {
            Which::Aya => vec![Implementation::Aya],
            Which::Libbpf => vec![Implementation::Libbpf],
            Which::Both => Implementation::ALL.to_vec(),
        }
    }
}

/// One implementation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum One {
    Aya,
    #[value(alias = "libbpf-rs")]
    Libbpf,
}

impl From<One> for Implementation {
    fn from(one: One) -> Self {
        match one {
            One::Aya => Implementation::Aya,
            One::Libbpf => Implementation::Libbpf,
        }
    }
}
