//! What loaders write above and below a log: the program's name, and the error of the system call.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::grammar::needle::Needle;
use crate::grammar::words::parse_leading_number;

/// What was said of the log that comes next.
#[derive(Clone, Debug, Default)]
pub struct LoaderHeading {
    pub name: Option<String>,
    /// How the system call ended.
    pub errno: Option<i32>,
}

impl LoaderHeading {
    /// Takes from a line what it says.
    pub fn read_heading(&mut self, line: &str) {
        // All of it is in lines about programs or loading.
        static WORDS: [Needle; 2] = [Needle::new("rog"), Needle::new("oad")];
        if !WORDS.iter().any(|word| word.is_in(line)) {
            return;
        }
        if let Some(name) = find_name(line) {
            if self.name.as_deref() != Some(name) {
                self.errno = None;
            }
            self.name = Some(name.to_owned());
        }
        self.errno = find_errno(line).or(self.errno);
    }
}

/// What comes before a program's name, and what ends the name.
static NAMES: [(Needle, char); 7] = [
    (Needle::new("prog '"), '\''),
    (Needle::new("failed to load program '"), '\''),
    (Needle::new("Failed to load BPF program b'"), '\''),
    (Needle::new("Failed to load BPF program "), ':'),
    (Needle::new("Error loading BPF program for "), '.'),
    (Needle::new("Error loading program: "), ' '),
    (Needle::new("program "), ':'),
];

fn find_name(line: &str) -> Option<&str> {
    let after = |(before, end): &(Needle, char)| Some((before.find_end(line)?, *end));
    let (start, end) = NAMES.iter().find_map(after)?;
    let (name, _) = line[start..].split_once(end)?;
    let is_name =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
    (!name.is_empty() && name.len() <= 128 && name.chars().all(is_name)).then_some(name)
}

/// The errors that say something beyond the log.
static ERRORS: [(Needle, i32); 21] = [
    (Needle::new("failed: -EACCES"), 13),
    (Needle::new("failed: -EINVAL"), 22),
    (Needle::new("failed: -EPERM"), 1),
    (Needle::new("failed: -E2BIG"), 7),
    (Needle::new("failed: -ENOSPC"), 28),
    (Needle::new("failed: -ENOMEM"), 12),
    (Needle::new("failed: -EFAULT"), 14),
    (Needle::new("failed: -ENOTSUPP"), 524),
    (Needle::new("ermission denied"), 13),
    (Needle::new("nvalid argument"), 22),
    (Needle::new("peration not permitted"), 1),
    (Needle::new("rgument list too long"), 7),
    (Needle::new("o space left on device"), 28),
    (Needle::new("annot allocate memory"), 12),
    (Needle::new("nknown error 524"), 524),
    (Needle::new("nknown error -524"), 524),
    (Needle::new("os error 524"), 524),
    (Needle::new("peration not supported"), 95),
    (Needle::new("o such file or directory"), 2),
    (Needle::new("ad address"), 14),
    (Needle::new("ad file descriptor"), 9),
];

fn find_errno(line: &str) -> Option<i32> {
    static LOADING: [Needle; 3] = [
        Needle::new("load"),
        Needle::new("LOAD"),
        Needle::new("Load"),
    ];
    static FAILED: Needle = Needle::new("failed to load: -");
    if !LOADING.iter().any(|word| word.is_in(line)) {
        return None;
    }
    if let Some(end) = FAILED.find_end(line)
        && let Some(number) = parse_leading_number(&line[end..])
    {
        return i32::try_from(number).ok();
    }
    for (text, errno) in &ERRORS {
        if text.is_in(line) {
            return Some(*errno);
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
        assert_eq!(heading(&["the program is as follows: x"]).0, None);
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
