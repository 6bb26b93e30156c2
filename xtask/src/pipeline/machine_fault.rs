//! A compiler that failed because of this machine, and not because of what it compiled: nothing is
//! wrong with an answer whose object file found no room on the disk.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use problem::Problem;

/// What compilers and linkers say of a machine, in lines that are no part of a program.
const WORDS: [&str; 11] = [
    "Resource temporarily unavailable",
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "Read-only file system",
    "Permission denied",
    "Input/output error",
    "annot allocate memory",
    "out of memory",
    "Too many open files",
    "unable to execute command: Killed",
];

/// What such a line begins with.
const SPEAKERS: [&str; 10] = [
    "error:",
    "fatal error:",
    "clang",
    "LLVM ERROR",
    "rustc-LLVM ERROR",
    "ld:",
    "/usr/bin/ld",
    "cc1",
    "collect2",
    "virtual memory",
];

/// The numbers that rustc and cargo put after the same, in each language: EIO, EAGAIN, ENOMEM,
/// EACCES, EMFILE, EFBIG, ENOSPC, EROFS, EDQUOT.
const ERRORS: [i32; 9] = [5, 11, 12, 13, 24, 27, 28, 30, 122];

/// How the kernel ends a program that uses too much. A write to a file that is mapped into memory
/// ends with SIGBUS when the disk is full.
const SIGNALS: [Signal; 5] = [
    Signal::SIGKILL,
    Signal::SIGTERM,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGBUS,
];

/// What a compiler that failed has said of the machine, if that is why.
pub fn find_machine_fault(status: ExitStatus, said: &str) -> Option<Problem> {
    let lines: Vec<&str> = said.lines().collect();
    let sign = (0..lines.len()).find(|&index| {
        let next = lines.get(index + 1).copied().unwrap_or_default();
        !is_about_program(lines[index], next) && has_sign(lines[index])
    });
    let why = match (sign, status.signal()) {
        (Some(index), _) => lines[index].trim().to_owned(),
        (None, Some(number)) if SIGNALS.iter().any(|it| *it as i32 == number) => {
            format!("signal {number} ended it")
        }
        _ => return None,
    };
    let problem = Problem::machine(format!("the compiler found too little here: {why}"));
    Some(problem.help("room on the disk, memory, or a higher limit (ulimit -a); then try again"))
}

fn has_sign(line: &str) -> bool {
    // So little memory that the message says nothing else.
    if line.starts_with("memory allocation of ") {
        return true;
    }
    let message = text_after_place(line).unwrap_or(line);
    let speaks = SPEAKERS.iter().any(|begin| message.starts_with(begin));
    let names_error = |number: &i32| {
        line.contains(&format!("(os error {number})")) || line.contains(&format!("code: {number},"))
    };
    let names_signal = |signal: &Signal| line.contains(&format!("(signal: {},", *signal as i32));
    (speaks && WORDS.iter().any(|words| line.contains(words)))
        || ERRORS.iter().any(names_error)
        || SIGNALS.iter().any(names_signal)
}

/// Compilers show lines of a program, and may quote anything of them: rustc tells the place in the
/// next line, clang in the same. But gcc tells a place too when it cannot write.
fn is_about_program(line: &str, next: &str) -> bool {
    let after_number = line.trim_start_matches(|it: char| it.is_ascii_digit() || it == ' ');
    let is_source = after_number.starts_with(['|', '+', '-', '~', '=']);
    let has_place = text_after_place(line).is_some_and(|text| !cannot_write(text));
    has_place || is_source || line.starts_with("error[") || next.trim_start().starts_with("-->")
}

/// The message of a line such as `main.c:3:9: error: use of undeclared identifier 'x'`.
fn text_after_place(line: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let mut parts = line.splitn(4, ':').skip(1);
    let (row, column, text) = (parts.next()?, parts.next()?, parts.next()?);
    (is_number(row) && is_number(column)).then_some(text.trim_start())
}

/// Such a message ends with the words; what it quotes of a program is followed by a quote.
fn cannot_write(message: &str) -> bool {
    message.starts_with("fatal error:") && WORDS.iter().any(|words| message.ends_with(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: i32, said: &str) -> Option<String> {
        let status = ExitStatus::from_raw(code);
        find_machine_fault(status, said).map(|problem| problem.to_string())
    }

    #[test]
    fn what_is_wrong_with_a_program_is_no_fault_of_the_machine() {
        let said = "main.c:3:9: error: use of undeclared identifier 'x'\n    \
                    3 | puts(\"No space left on device\", x);\n      | ^\n1 error generated.";
        assert_eq!(fault(256, said), None);
        for said in [
            "error[E0425]: cannot find value `SIGKILL` in this scope",
            "main.c:3:9: error: use of undeclared identifier 'SIGKILL'\n    \
             puts(\"Permission denied\", x);",
            "main.c:3:2: error: \"Permission denied\"",
            "main.c:3:2: fatal error: 'Permission denied' file not found",
            "error: Permission denied\n --> src/main.rs:3:1\n",
            "error: unused import: `Signal::SIGKILL`\n --> src/main.rs:3:1\n",
            "help: try this\n12 + \"Read-only file system\"",
            "   = note: Permission denied",
        ] {
            assert_eq!(fault(256, said), None, "{said}");
        }
        // Such as a compiler that has met its own bug.
        assert_eq!(fault(Signal::SIGSEGV as i32, ""), None);
    }

    #[test]
    fn the_line_that_names_the_fault_is_shown() {
        let said = "main.c:1:1: note: x\nfatal error: error writing to /tmp/x.s: File too large\n";
        let why = "the compiler found too little here: \
                   fatal error: error writing to /tmp/x.s: File too large";
        assert_eq!(fault(256, said).as_deref(), Some(why));
        for said in [
            "error: could not compile `x`\n\nCaused by:\n  process didn't exit successfully: \
             `rustc` (signal: 9, SIGKILL: kill)",
            "error: failed to write /x\n\nCaused by:\n  Kein Platz (os error 28)",
            "rustc-LLVM ERROR: IO failure on output stream: No space left on device",
            "called on an `Err` value: Os { code: 11, kind: WouldBlock, message: \"x\" }",
            "memory allocation of 4096 bytes failed",
            "main.c:35:1: fatal error: error writing to /tmp/x.s: No space left on device",
            "clang: error: unable to execute command: Killed",
            "collect2: fatal error: vfork: Resource temporarily unavailable",
            "error: unable to open output file '/x.o': 'Read-only file system'",
        ] {
            assert!(fault(256, said).is_some(), "{said}");
        }
        let why = "the compiler found too little here: signal 9 ended it";
        assert_eq!(fault(9, "").as_deref(), Some(why));
    }
}
