//! What is said about a program before a VM is asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kernel::Architecture;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};
use problem::Problem;

/// Refuses what no guest can run, or no guest of the architecture that was asked for. Returns what
/// the program is for.
pub fn check_binary(path: &Path, asked: Option<Architecture>) -> Result<Architecture, Problem> {
    let shown = path.display();
    let usage = "cargo xtask try takes a program for Linux on amd64 (x86-64) or arm64, such as \
                 target/debug/NAME";
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
    let architecture = Architecture::of_elf_machine(machine)
        .ok_or_else(|| wrong(&format!("it is for {}", describe_machine(machine))))?;
    if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
        return Err(wrong("it is an object file, which still has to be linked"));
    }
    let (length, end) = (bytes.len() as u64, find_end(header, endian, &bytes));
    if length < end {
        let why = format!("it is cut short: it has {length} bytes of at least {end}");
        return Err(wrong(&why));
    }
    if let Some(asked) = asked.filter(|asked| *asked != architecture) {
        let what = format!("{shown} is a program for {architecture}, and not for {asked}");
        let help = format!("cargo xtask try --arch {architecture} {shown}");
        return Err(Problem::usage(what).help(help));
    }
    check_permission(path)?;
    Ok(architecture)
}

/// Where the last of its tables ends and of what is loaded, in bytes from the file's start.
fn find_end(header: &elf::FileHeader64<Endianness>, endian: Endianness, bytes: &[u8]) -> u64 {
    let table = |start: u64, number: u16, size: u16| {
        start.saturating_add(u64::from(number) * u64::from(size))
    };
    let segments = table(
        header.e_phoff(endian),
        header.e_phnum(endian),
        header.e_phentsize(endian),
    );
    let sections = table(
        header.e_shoff(endian),
        header.e_shnum(endian),
        header.e_shentsize(endian),
    );
    let loaded = header.program_headers(endian, bytes).unwrap_or_default();
    let ends = loaded.iter().map(|segment| {
        let (start, length) = segment.file_range(endian);
        start.saturating_add(length)
    });
    ends.fold(segments.max(sections), u64::max)
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

/// Whether these bytes are a program or a library that a guest of this architecture can use.
pub fn is_binary(bytes: &[u8], architecture: Architecture) -> bool {
    elf::FileHeader64::<Endianness>::parse(bytes).is_ok_and(|header| {
        let fits = |endian| {
            Architecture::of_elf_machine(header.e_machine(endian)) == Some(architecture)
                && matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN)
        };
        header.endian().is_ok_and(fits)
    })
}

fn describe_machine(machine: u16) -> String {
    match machine {
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
        check_binary(path, None).unwrap_err()
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
        let is_for_here = |bytes: &[u8]| is_binary(bytes, Architecture::HOST);
        assert!(is_for_here(&program) && !is_for_here(b"text"));
        // `e_machine`
        for (machine, told) in [
            (243, "it is for RISC-V"),
            (40, "another machine (ELF's number 40)"),
        ] {
            program[18] = machine;
            assert!(!is_for_here(&program));
            fs::write(&file, &program).unwrap();
            let problem = problem_with(&file).to_string();
            assert!(problem.ends_with(told), "{problem}");
        }
    }

    #[test]
    fn a_program_is_for_one_architecture() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        let mut program = fs::read("/proc/self/exe").unwrap();
        for (machine, architecture, other) in [
            (62, Architecture::Amd64, Architecture::Arm64),
            (183, Architecture::Arm64, Architecture::Amd64),
        ] {
            program[18] = machine;
            fs::write(&file, &program).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(check_binary(&file, None).unwrap(), architecture);
            assert_eq!(
                check_binary(&file, Some(architecture)).unwrap(),
                architecture
            );
            assert!(is_binary(&program, architecture) && !is_binary(&program, other));
            let problem = check_binary(&file, Some(other)).unwrap_err();
            let told = format!("is a program for {architecture}, and not for {other}");
            assert!(problem.to_string().ends_with(&told), "{problem}");
            let help = format!("cargo xtask try --arch {architecture} ");
            assert!(problem.help_lines()[0].starts_with(&help), "{problem}");
        }
    }

    /// Wherever it was cut: in what is loaded, or in one of its tables.
    #[test]
    fn a_program_that_was_cut_short_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        let program = fs::read("/proc/self/exe").unwrap();
        for length in [100, 5000, program.len() - 100] {
            fs::write(&file, &program[..length]).unwrap();
            let problem = problem_with(&file).to_string();
            let told = format!("it is cut short: it has {length} bytes of at least ");
            assert!(problem.contains(&told), "{problem}");
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
        check_binary(&file, None).unwrap();
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
