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
const DAMAGED: [&str; 6] = [
    "Hash Sum mismatch",
    "File has unexpected size",
    "does not match the checksum",
    "failed to verify the checksum",
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
/// Where a list or a file should be, a proxy or a sign-in page answers with its own text.
const PAGE: [&str; 2] = [
    "does the network require authentication",
    // Cargo, of an index that is no JSON.
    "expected value at line 1 column 1",
];
/// apt compares the dates of its lists with the clock.
const CLOCK: [&str; 2] = ["is not valid yet", "is expired"];
/// With its `E:`, apt has given up; without, it waits.
const LOCKED: [&str; 2] = [
    "E: Could not get lock",
    "E: Unable to acquire the dpkg frontend lock",
];
const LINES: usize = 5;

/// Why a program failed, from its output in the file `log`.
pub fn explain_failure(what: &str, log: &Path) -> Problem {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    // On a full disk the program's last words found no room either.
    let temporary = std::env::temp_dir();
    let places = log.parent().into_iter().chain([temporary.as_path()]);
    match places.into_iter().find(|place| space::is_full(place)) {
        Some(place) => {
            let place = place.display();
            no_room(format!(
                "cannot {what}: the disk is full, no room in {place}\n{}",
                last_lines(&text)
            ))
        }
        None => name_fault(what, &text, log),
    }
}

fn no_room(what: String) -> Problem {
    Problem::machine(what)
        .help("make room, then type the same command again: what is done already is kept")
}

fn name_fault(what: &str, text: &str, log: &Path) -> Problem {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let failed =
        |why: &str| Problem::machine(format!("cannot {what}: {why}\n{}", last_lines(text)));
    if says(&FULL_DISK) {
        let lines = last_lines(text);
        return no_room(format!("cannot {what}: the disk is full\n{lines}"));
    }
    if says(&LOCKED) {
        return failed("another program is at work there")
            .help("wait until it ends, then type the same command again");
    }
    if says(&PAGE) {
        return failed(
            "the answer is not what was asked for, as if it came from a proxy or \
             a sign-in page",
        )
        .help("sign in to the network, or set http_proxy and https_proxy, then type it again")
        .help(
            "or name another Debian mirror: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup",
        );
    }
    if says(&CLOCK) {
        return failed("by this machine's clock, the list is too old or from the future")
            .help("date    (is it right? if not, set the clock)")
            .help(
                "if it is, the mirror is not kept up to date: name another one with XTASK_MIRROR",
            );
    }
    if says(&UNSIGNED) {
        return failed("the mirror's signature is not valid").help(
            "name another Debian mirror: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup",
        );
    }
    if says(&NO_NETWORK) {
        return failed("no connection to the server")
        .help("check the network, then type the same command again: what is done already is kept")
        .help(
            "to fetch kernels from another Debian mirror: XTASK_MIRROR=http://MIRROR/debian cargo \
             xtask setup",
        );
    }
    if says(&DAMAGED) {
        return failed("the download is damaged").help(
            "type the same command again; if it stays so, name another mirror with XTASK_MIRROR",
        );
    }
    if says(&["does not have a Release file"]) {
        return failed("the mirror does not have it")
            .help("name a mirror that has it: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup")
            .help(
                "for security updates it is derived from that, or: \
             XTASK_SECURITY_MIRROR=http://MIRROR/debian-security",
            );
    }
    Problem::machine(format!("cannot {what}\n{}", last_lines(text)))
        .help(format!("all that it printed: cat {}", log.display()))
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
        StorageFull | QuotaExceeded => no_room(problem.to_string()),
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
            (
                "E: Could not get lock /x/lock-frontend. It is held by process 4711 (apt)",
                "held by process 4711 (apt)",
            ),
            (
                "E: Release file for x is not valid yet (invalid for another 23h 59min 50s).",
                "this machine's clock",
            ),
            ("E: something new\nprogress", "something new"),
        ] {
            let problem = name_fault("fetch x", output, Path::new("/log"));
            assert!(problem.to_string().contains(named), "{output}: {problem}");
            assert_eq!(problem.exit(), Exit::MachineNotReady);
        }
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        let output: String = (0..100).map(|line| format!("line {line}\n\n")).collect();
        let shown = name_fault("fetch x", &output, Path::new("/log")).to_string();
        assert!(shown.ends_with("line 99"), "{shown}");
        assert_eq!(shown.lines().count(), 1 + LINES);
    }
}
