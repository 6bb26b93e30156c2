//! What only a kernel can answer.

use std::fs;
use std::process::Command;

/// Starts the program of this crate.
#[test]
fn the_program_counts_files() {
    let program = env!("CARGO_BIN_EXE_open-count");
    let output = Command::new(program).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("process"), "{printed}");
}

/// Reads a file of this crate.
#[test]
fn the_kernel_has_the_functions() {
    let functions = fs::read_to_string("tests/functions.txt").unwrap();
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap();
    for function in functions.lines() {
        let has_it = symbols.lines().any(|line| line.ends_with(&format!(" {function}")));
        assert!(has_it, "this kernel has no {function}");
    }
}
