//! What loaders write above and below a log: the program's name, and the error of the system call.

/// How the system call ended, as a number of errno.
pub type Outcome = i32;

/// What was said of the log that comes next.
#[derive(Clone, Debug, Default)]
pub struct Heading {
    pub name: Option<String>,
    pub outcome: Option<Outcome>,
}

impl Heading {
    /// Takes from a line what it says.
    pub fn read(&mut self, line: &str) {
        // All of it stands in lines about programs or loading.
        if !line.contains("rog") && !line.contains("oad") {
            return;
        }
        if let Some(name) = name(line) {
            if self.name.as_deref() != Some(name) {
                self.outcome = None;
            }
            self.name = Some(name.to_owned());
        }
        self.outcome = outcome(line).or(self.outcome);
    }
}

/// What comes before a program's name, and what ends the name.
const NAMES: [(&str, char); 7] = [
    ("prog '", '\''),
    ("failed to load program '", '\''),
    ("Failed to load BPF program b'", '\''),
    ("Failed to load BPF program ", ':'),
    ("Error loading BPF program for ", '.'),
    ("Error loading program: ", ' '),
    ("program ", ':'),
];

fn name(line: &str) -> Option<&str> {
    let (start, end) =
        NAMES.iter().find_map(|(before, end)| Some((line.find(before)? + before.len(), end)))?;
    let name = &line[start..];
    let name = &name[..name.find(*end)?];
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | '/');
    (!name.is_empty() && name.len() <= 128 && name.chars().all(is_name)).then_some(name)
}

/// The errors that say something beyond the log.
const ERRORS: [(&str, Outcome); 21] = [
    ("failed: -EACCES", 13),
    ("failed: -EINVAL", 22),
    ("failed: -EPERM", 1),
    ("failed: -E2BIG", 7),
    ("failed: -ENOSPC", 28),
    ("failed: -ENOMEM", 12),
    ("failed: -EFAULT", 14),
    ("failed: -ENOTSUPP", 524),
    ("ermission denied", 13),
    ("nvalid argument", 22),
    ("peration not permitted", 1),
    ("rgument list too long", 7),
    ("o space left on device", 28),
    ("annot allocate memory", 12),
    ("nknown error 524", 524),
    ("nknown error -524", 524),
    ("os error 524", 524),
    ("peration not supported", 95),
    ("o such file or directory", 2),
    ("ad address", 14),
    ("ad file descriptor", 9),
];

fn outcome(line: &str) -> Option<Outcome> {
    let is_about_loading = line.contains("load") || line.contains("LOAD") || line.contains("Load");
    if !is_about_loading {
        return None;
    }
    let number = line.split("failed to load: -").nth(1).and_then(leading_number);
    number.or_else(|| ERRORS.iter().find(|(text, _)| line.contains(text)).map(|(_, errno)| *errno))
}

fn leading_number(text: &str) -> Option<i32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(lines: &[&str]) -> (Option<String>, Option<Outcome>) {
        let mut heading = Heading::default();
        lines.iter().for_each(|line| heading.read(line));
        (heading.name, heading.outcome)
    }

    #[test]
    fn loaders_name_the_program() {
        for (line, name) in [
            ("libbpf: prog 'kp': BPF program load failed: Permission denied", "kp"),
            ("libbpf: failed to load program 'kp'", "kp"),
            ("Exception: Failed to load BPF program b'kp': Invalid argument", "kp"),
            ("ERROR: Error loading BPF program for kprobe_tcp_1. Kernel error log:", "kprobe_tcp_1"),
            ("field Xdp: program kp: load program: permission denied: R0 !read_ok", "kp"),
        ] {
            assert_eq!(heading(&[line]).0.as_deref(), Some(name), "{line}");
        }
        assert_eq!(heading(&["the program is as follows: x"]).0, None);
    }

    #[test]
    fn and_the_error() {
        assert_eq!(heading(&["libbpf: prog 'a': failed to load: -22"]), (Some("a".into()), Some(22)));
        assert_eq!(heading(&["prog 'a': BPF program load failed: unknown error (-524)"]).1, None);
        assert_eq!(heading(&["prog 'a': BPF program load failed: Unknown error 524"]).1, Some(524));
        assert_eq!(heading(&["libbpf: prog 'a': BPF program load failed: -E2BIG"]).1, Some(7));
        assert_eq!(heading(&["the path has No such file or directory"]).1, None, "not about loading");
        assert_eq!(heading(&["prog 'a': failed to load: -22", "prog 'b': x"]), (Some("b".into()), None));
    }
}
