//! Each lesson exists twice; `--impl` says which of the two runs.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Implementation {
    /// Kernel side in Rust, loaded by aya
    #[default]
    Aya,
    /// Kernel side in C, loaded by libbpf-rs
    Libbpf,
}
