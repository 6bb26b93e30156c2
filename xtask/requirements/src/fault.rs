//! What went wrong when another program failed, told from what it printed.

use std::path::Path;

use problem::Problem;

use crate::space;

const NO_NETWORK: [&str; 8] = [
    "Could not resolve",
    "Temporary failure resolving",
    "Could not connect",
    "Unable to connect",
    "Network is unreachable",
    "Connection timed out",
    "Could not resolve host",
    "Connection refused",
];
const DAMAGED: [&str; 5] = [
    "Hash Sum mismatch",
    "File has unexpected size",
    "does not match the checksum",
    "Undetermined Error",
    "unexpected end of file",
];
const UNSIGNED: [&str; 5] = [
    "NO_PUBKEY",
    "is not signed",
    "EXPKEYSIG",
    "BADSIG",
    "no longer signed",
];
const FULL_DISK: [&str; 2] = ["No space left on device", "enough free space"];
/// Less room than this, in bytes, is none.
const FULL: u64 = 1_000_000;
const LINES: usize = 5;

/// Why a program failed, from its output in the file `log`.
pub fn explain_failure(what: &str, log: &Path) -> Problem {
    let mut text = std::fs::read_to_string(log).unwrap_or_default();
    // On a full disk the program's last words found no room either.
    let free = log.parent().and_then(space::free_space);
    if free.is_some_and(|bytes| bytes < FULL) {
        text += FULL_DISK[0];
    }
    name(what, &text)
}

fn name(what: &str, text: &str) -> Problem {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&FULL_DISK) {
        return Problem::machine(format!("cannot {what}: the disk is full"))
            .help("make room, then type the same command again: what is done already is kept");
    }
    if says(&UNSIGNED) {
        return Problem::machine(format!(
            "cannot {what}: the mirror's signature is not valid\n{}",
            last_lines(text)
        ))
        .help("name another Debian mirror: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup");
    }
    if says(&NO_NETWORK) {
        return Problem::machine(format!(
            "cannot {what}: no connection to the server\n{}",
            last_lines(text)
        ))
        .help("check the network, then type the same command again: what is done already is kept")
        .help(
            "to fetch kernels from another Debian mirror: XTASK_MIRROR=http://MIRROR/debian cargo \
             xtask setup",
        );
    }
    if says(&DAMAGED) {
        return Problem::machine(format!(
            "cannot {what}: the download is damaged\n{}",
            last_lines(text)
        ))
        .help(
            "type the same command again; if it stays so, name another mirror with XTASK_MIRROR",
        );
    }
    if says(&["does not have a Release file"]) {
        return Problem::machine(format!(
            "cannot {what}: the mirror does not have it\n{}",
            last_lines(text)
        ))
        .help("name a mirror that has it: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup")
        .help(
            "for security updates it is derived from that, or: \
             XTASK_SECURITY_MIRROR=http://MIRROR/debian-security",
        );
    }
    Problem::machine(format!("cannot {what}\n{}", last_lines(text)))
}

/// apt begins the lines that say why with `E:`; of other programs, the last lines do.
fn last_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("E: "))
        .collect();
    if lines.is_empty() {
        lines = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
    }
    let shown = &lines[lines.len().saturating_sub(LINES)..];
    let mut shown = shown
        .iter()
        .fold(String::new(), |text, line| text + "    " + line + "\n");
    shown.truncate(shown.trim_end().len());
    shown
}

pub fn not_started(program: &str, error: &std::io::Error) -> Problem {
    let problem = Problem::machine(format!("cannot start {program}: {error}"));
    match program {
        "apt-get" | "apt-cache" | "dpkg-deb" => problem.help(
            "kernels come from Debian through apt; without it boot one of your own: \
             cargo xtask run LESSON --kernel FILE",
        ),
        _ => problem,
    }
}

/// An error of our own that may be a full disk or a missing right.
pub fn io_problem(what: impl std::fmt::Display, error: &std::io::Error) -> Problem {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let problem = Problem::machine(format!("cannot {what}: {error}"));
    match error.kind() {
        StorageFull | QuotaExceeded => problem
            .help("make room, then type the same command again: what is done already is kept"),
        PermissionDenied | ReadOnlyFilesystem => problem.help(
            "to keep everything that is fetched in another directory: XTASK_CACHE=DIRECTORY cargo \
             xtask setup",
        ),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use problem::Exit;

    use super::*;

    #[test]
    fn faults_are_named() {
        for (output, named) in [
            (
                "E: Failed to fetch x  Temporary failure resolving 'mirror'",
                "no connection",
            ),
            ("E: Failed to fetch x  Hash Sum mismatch", "damaged"),
            ("E: You don't have enough free space in /x", "disk is full"),
            ("W: GPG error: NO_PUBKEY 0123", "signature is not valid"),
            (
                "E: The repository 'x' does not have a Release file.",
                "the mirror does not have it",
            ),
            ("E: something new\nprogress", "something new"),
        ] {
            let problem = name("fetch x", output);
            assert!(problem.to_string().contains(named), "{output}: {problem}");
            assert_eq!(problem.exit(), Exit::MachineNotReady);
        }
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        let output: String = (0..100).map(|line| format!("line {line}\n\n")).collect();
        let shown = name("fetch x", &output).to_string();
        assert!(shown.ends_with("line 99"), "{shown}");
        assert_eq!(shown.lines().count(), 1 + LINES);
    }
}
