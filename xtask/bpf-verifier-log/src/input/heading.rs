//! What loaders write above and below a log: the program's name, and the error of the system call.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::grammar::needle::Needle;
use crate::grammar::words::parse_leading_number;
use crate::input::loader::{Loader, find_loader};

/// What was said of the log that comes next.
#[derive(Clone, Debug, Default)]
pub struct LoaderHeading {
    pub name: Option<String>,
    /// How the system call ended.
    pub errno: Option<i32>,
    pub loader: Option<Loader>,
    /// The log begins here: a loader says so.
    pub begins_log: bool,
    /// The log's beginning is left out.
    pub skips_lines: bool,
    /// A CO-RE relocation of the program failed.
    pub fails_relocation: bool,
    /// The program was not loaded, whatever the error's number is.
    pub fails_load: bool,
}

impl LoaderHeading {
    /// Takes from a line what it says.
    pub fn read_heading(&mut self, line: &str) {
        // All of it is in lines about programs or loading.
        static WORDS: [Needle; 2] = [Needle::new("rog"), Needle::new("oad")];
        if WORDS.iter().any(|word| word.is_in(line)) {
            self.read_error(line);
        }
    }

    /// The same for a line that is a loader's without doubt.
    pub fn read_error(&mut self, line: &str) {
        if let Some(name) = find_name(line) {
            if self.name.as_deref() != Some(name) {
                self.errno = None;
                self.fails_relocation = false;
                self.fails_load = false;
            }
            self.name = Some(name.to_owned());
        }
        self.fails_relocation |= is_failed_relocation(line);
        self.fails_load |= is_failed_load(line);
        self.errno = find_errno(line).or(self.errno);
        self.loader = find_loader(line).or(self.loader);
    }
}

/// Of cilium/ebpf; of libbpf, and what libbpf does about it.
fn is_failed_relocation(line: &str) -> bool {
    static WORDS: [Needle; 3] = [
        Needle::new("bad CO-RE relocation"),
        Needle::new("no matching targets found"),
        Needle::new(": substituting insn #"),
    ];
    WORDS.iter().any(|word| word.is_in(line))
}

/// In the words of libbpf, bpftool, bcc and bpftrace; of aya.
fn is_failed_load(line: &str) -> bool {
    static WORDS: [Needle; 5] = [
        Needle::new("ailed to load"),
        Needle::new("BPF program load failed"),
        Needle::new("load bpf program failed"),
        Needle::new("Error loading"),
        Needle::new("BPF_PROG_LOAD syscall "),
    ];
    WORDS.iter().any(|word| word.is_in(line))
}

/// What comes before a program's name, and what ends the name.
static NAMES: [(Needle, char); 6] = [
    (Needle::new("prog '"), '\''),
    (Needle::new("failed to load program '"), '\''),
    (Needle::new("Failed to load BPF program b'"), '\''),
    (Needle::new("Failed to load BPF program "), ':'),
    (Needle::new("Error loading BPF program for "), '.'),
    (Needle::new("Error loading program: "), ' '),
];

/// The program that a line of a loader is about.
pub fn find_name(line: &str) -> Option<&str> {
    let after = |(before, end): &(Needle, char)| Some((before.find_end(line.as_bytes())?, *end));
    let (start, end) = NAMES
        .iter()
        .find_map(after)
        .or_else(|| find_after_program(line))?;
    let (name, _) = line[start..].split_once(end)?;
    let is_name =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
    (!name.is_empty() && name.len() <= 128 && name.chars().all(is_name)).then_some(name)
}

/// `field A: program a: load program: ...`, of cilium/ebpf. In `load bpf program failed: ...`, of
/// old libbpf, no name follows.
fn find_after_program(line: &str) -> Option<(usize, char)> {
    static PROGRAM: Needle = Needle::new("program ");
    let start = PROGRAM.find_end(line.as_bytes())?;
    let before = line[..start - "program ".len()].trim_end_matches(['"', '`', '\'', '\\']);
    // The quotation mark of a logger, a colon, a time.
    let is_word = before.ends_with(|letter: char| letter.is_alphabetic());
    let is_phrase = before
        .trim_end()
        .ends_with(|letter: char| letter.is_alphabetic());
    (!is_word && !is_phrase).then_some((start, ':'))
}

/// The errors that say something beyond the log.
static ERRORS: [(Needle, i32); 20] = [
    (Needle::new(": -EACCES"), 13),
    (Needle::new(": -EINVAL"), 22),
    (Needle::new(": -EPERM"), 1),
    (Needle::new(": -E2BIG"), 7),
    (Needle::new(": -ENOSPC"), 28),
    (Needle::new(": -ENOMEM"), 12),
    (Needle::new(": -EFAULT"), 14),
    (Needle::new(": -ENOTSUPP"), 524),
    (Needle::new("ermission denied"), 13),
    (Needle::new("nvalid argument"), 22),
    (Needle::new("peration not permitted"), 1),
    (Needle::new("rgument list too long"), 7),
    (Needle::new("o space left on device"), 28),
    (Needle::new("annot allocate memory"), 12),
    (Needle::new("nknown error 524"), 524),
    (Needle::new("nknown error -524"), 524),
    (Needle::new("peration not supported"), 95),
    (Needle::new("o such file or directory"), 2),
    (Needle::new("ad address"), 14),
    (Needle::new("ad file descriptor"), 9),
];

/// The error of a line about loading, as a number or in words.
fn find_errno(line: &str) -> Option<i32> {
    static LOADING: [Needle; 4] = [
        Needle::new("load"),
        Needle::new("' rejected: "),
        Needle::new("LOAD"),
        Needle::new("Load"),
    ];
    if !LOADING.iter().any(|word| word.is_in(line)) {
        return None;
    }
    find_any_errno(line)
}

/// The same for any line about a system call.
pub fn find_any_errno(line: &str) -> Option<i32> {
    if let Some(number) = find_error_number(line) {
        return Some(number);
    }
    for (text, errno) in &ERRORS {
        if text.is_in(line) {
            return Some(*errno);
        }
    }
    None
}

/// An error that is written as a number: of libbpf, of bpftrace, of Rust's `io::Error`, and of its
/// `Debug`.
pub fn find_error_number(line: &str) -> Option<i32> {
    static BEFORE: [Needle; 5] = [
        Needle::new("failed to load: -"),
        Needle::new("rror code: -"),
        Needle::new("(os error "),
        Needle::new("Os { code: "),
        Needle::new("rror code -"),
    ];
    for before in &BEFORE {
        if let Some(end) = before.find_end(line.as_bytes())
            && let Some(number) = parse_leading_number(&line[end..])
        {
            return i32::try_from(number).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(lines: &[&str]) -> (Option<String>, Option<i32>) {
        let mut heading = LoaderHeading::default();
        lines.iter().for_each(|line| heading.read_heading(line));
        (heading.name, heading.errno)
    }

    #[test]
    fn loaders_name_the_program() {
        for (line, name) in [
            (
                "libbpf: prog 'kp': BPF program load failed: Permission denied",
                "kp",
            ),
            ("libbpf: failed to load program 'kp'", "kp"),
            (
                "Exception: Failed to load BPF program b'kp': Invalid argument",
                "kp",
            ),
            (
                "ERROR: Error loading BPF program for kprobe_tcp_1. Kernel error log:",
                "kprobe_tcp_1",
            ),
            (
                "field Xdp: program kp: load program: permission denied: R0 !read_ok",
                "kp",
            ),
        ] {
            assert_eq!(heading(&[line]).0.as_deref(), Some(name), "{line}");
        }
        for line in [
            "the program is as follows: x",
            "libbpf: load bpf program failed: Permission denied",
            "the program failed: x",
        ] {
            assert_eq!(heading(&[line]).0, None, "{line}");
        }
    }

    #[test]
    fn errors_may_be_numbers() {
        for (line, errno) in [
            (
                "failed to load: the syscall returned x (os error 22)",
                Some(22),
            ),
            (
                "ERROR: Error loading BPF program for k_1. Error code: -28.",
                Some(28),
            ),
            (
                "LoadError { io_error: Os { code: 7, kind: Argument",
                Some(7),
            ),
            ("libbpf: prog 'a': failed to load: -99", Some(99)),
            ("libbpf: prog 'a': failed to load: -EACCES", Some(13)),
            ("cannot load: error code: -", None),
        ] {
            assert_eq!(heading(&[line]).1, errno, "{line}");
        }
    }

    #[test]
    fn and_the_error() {
        assert_eq!(
            heading(&["libbpf: prog 'a': failed to load: -22"]),
            (Some("a".into()), Some(22))
        );
        assert_eq!(
            heading(&["prog 'a': BPF program load failed: unknown error (-524)"]).1,
            None
        );
        assert_eq!(
            heading(&["prog 'a': BPF program load failed: Unknown error 524"]).1,
            Some(524)
        );
        assert_eq!(
            heading(&["libbpf: prog 'a': BPF program load failed: -E2BIG"]).1,
            Some(7)
        );
        assert_eq!(
            heading(&["the path has No such file or directory"]).1,
            None,
            "not about loading"
        );
        assert_eq!(
            heading(&["prog 'a': failed to load: -22", "prog 'b': x"]),
            (Some("b".into()), None)
        );
    }
}
