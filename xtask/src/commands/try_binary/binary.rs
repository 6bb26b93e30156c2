//! What is said about a program before a VM is asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use object::read::elf::FileHeader as _;
use object::{Endianness, elf};
use problem::Problem;

/// Refuses what no guest can run.
pub fn check_binary(path: &Path) -> Result<(), Problem> {
    let shown = path.display();
    let usage = "cargo xtask try takes a program for x86-64 Linux, such as target/debug/NAME";
    let bytes = fs::read(path)
        .map_err(|error| Problem::usage(format!("cannot read {shown}: {error}")).help(usage))?;
    if let Some(line) = bytes.strip_prefix(b"#!") {
        return Err(name_interpreter(path, line));
    }
    let wrong =
        |why: &str| Problem::usage(format!("{shown} cannot be run in a VM: {why}")).help(usage);
    let header = elf::FileHeader64::<Endianness>::parse(bytes.as_slice())
        .map_err(|_| wrong("it is no ELF file of 64 bits"))?;
    let endian = header.endian().map_err(|_| wrong("it is damaged"))?;
    let machine = header.e_machine(endian);
    if machine != elf::EM_X86_64 {
        return Err(wrong(&format!("it is for {}", describe_machine(machine))));
    }
    match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => check_permission(path),
        _ => Err(wrong("it is an object file, which still has to be linked")),
    }
}

/// A guest could run it all the same; a shell here would not, and neither would a server.
fn check_permission(path: &Path) -> Result<(), Problem> {
    let is_executable = |about: fs::Metadata| about.permissions().mode() & 0o111 != 0;
    if fs::metadata(path).is_ok_and(is_executable) {
        return Ok(());
    }
    let shown = path.display();
    let what = format!("{shown} may not be executed: nobody has that permission");
    Err(Problem::usage(what).help(format!("chmod +x {shown}")))
}

/// Whether these bytes are a program or a library that a guest can use.
pub fn is_binary(bytes: &[u8]) -> bool {
    elf::FileHeader64::<Endianness>::parse(bytes).is_ok_and(|header| {
        let fits = |endian| {
            header.e_machine(endian) == elf::EM_X86_64
                && matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN)
        };
        header.endian().is_ok_and(fits)
    })
}

fn describe_machine(machine: u16) -> String {
    match machine {
        elf::EM_AARCH64 => "arm64".to_owned(),
        elf::EM_RISCV => "RISC-V".to_owned(),
        elf::EM_BPF => "eBPF; cargo xtask verify loads it".to_owned(),
        other => format!("another machine (ELF's number {other})"),
    }
}

/// A script is no program: its interpreter is.
fn name_interpreter(script: &Path, line: &[u8]) -> Problem {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let interpreter = match (words.next().unwrap_or("/bin/sh"), words.clone().next()) {
        ("/usr/bin/env" | "/bin/env", Some(name)) => format!("\"$(command -v {name})\""),
        (interpreter, _) => words.fold(interpreter.to_owned(), |line, word| line + " " + word),
    };
    let script = script.display();
    Problem::usage(format!(
        "{script} is a script, and a guest has no program to read it with"
    ))
    .help("name that program, and bring the script and what it starts along:")
    .help(format!(
        "cargo xtask try --file {script} {interpreter} {script}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_with(path: &Path) -> Problem {
        check_binary(path).unwrap_err()
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let problem = problem_with(Path::new("/nothing/here"));
        assert!(problem.to_string().starts_with("cannot read /nothing/here"));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "text").unwrap();
        let problem = problem_with(&file).to_string();
        assert!(
            problem.ends_with("it is no ELF file of 64 bits"),
            "{problem}"
        );
        let mut program = fs::read("/proc/self/exe").unwrap();
        assert!(is_binary(&program) && !is_binary(b"text"));
        // `e_machine`
        for (machine, told) in [
            (183, "it is for arm64"),
            (40, "another machine (ELF's number 40)"),
        ] {
            program[18] = machine;
            assert!(!is_binary(&program));
            fs::write(&file, &program).unwrap();
            let problem = problem_with(&file).to_string();
            assert!(problem.ends_with(told), "{problem}");
        }
    }

    #[test]
    fn a_program_that_nobody_may_execute_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("program");
        fs::copy("/proc/self/exe", &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let problem = problem_with(&file);
        assert!(
            problem.to_string().contains("may not be executed"),
            "{problem}"
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o744)).unwrap();
        check_binary(&file).unwrap();
    }

    #[test]
    fn a_script_is_told_with_what_to_type() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        let told = |first: &str| {
            fs::write(&script, format!("{first}\nexit 0\n")).unwrap();
            let problem = problem_with(&script);
            let line = problem.help_lines()[1].clone();
            line.replace(script.to_str().unwrap(), "SCRIPT")
        };
        assert_eq!(
            told("#!/bin/bash -e"),
            "cargo xtask try --file SCRIPT /bin/bash -e SCRIPT"
        );
        assert_eq!(
            told("#!/usr/bin/env python3"),
            "cargo xtask try --file SCRIPT \"$(command -v python3)\" SCRIPT"
        );
    }
}
