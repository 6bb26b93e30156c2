//! The command line of both programs.

use std::path::PathBuf;

use clap::Parser;
use plan::load::EbpfLibrary;

/// Judges an answer to an exercise and prints a line of JSON for each check.
#[derive(Parser)]
pub struct Cli {
    /// Such as 03/count-by-comm
    pub exercise: String,
    /// The object file, or the program
    pub answer: PathBuf,
    /// The library that the object file is written for: aya or libbpf
    #[arg(long)]
    pub with: Option<EbpfLibrary>,
    /// The eBPF program that the answer loads, if the answer is a user-space program
    #[arg(long)]
    pub object: Option<PathBuf>,
    /// Stop after the first check, which reads the object file and needs no kernel
    #[arg(long)]
    pub fit_only: bool,
}
