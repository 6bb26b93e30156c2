//! Prints what the running kernel has, does and refuses, a line for each fact:
//! `function/do_unlinkat = yes`.
//!
//! ```text
//!   names      functions, types, enums, tracepoints: by their names
//!   programs   what the verifier accepts, and what a program sees when it runs
//!   maps       types, sizes, and what an LRU map keeps
//!   hooks      where programs can be attached
//!   insn       instructions, to build programs from
//!   print      the line of a fact
//!   sys        the bpf system call
//! ```
//!
//! A test compares the lines with `book/facts`, and the book's tables and sentences about kernels
//! are held to these files. It runs as root in a guest of `cargo xtask`.

mod hooks;
mod insn;
mod maps;
mod names;
mod print;
mod programs;
mod sys;

use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let names = names::RunningNames::read_all()?;
    names.print_facts()?;
    programs::print_facts(&names)?;
    maps::print_facts(&names)?;
    hooks::print_facts(&names)
}
