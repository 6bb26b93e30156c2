//! Each lesson exists twice; `--impl` says which of the two runs.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Implementation {
    /// The eBPF program in Rust, loaded by aya
    #[default]
    Aya,
    /// The eBPF program in C, loaded by libbpf-rs
    Libbpf,
}
