//! An event of the eBPF programs as a line.

use std::path::Path;

use common::text;

use crate::event::{EXEC, LINK, OPEN, PolicyEvent, RENAME};
use crate::policy::Policy;

pub const HEADER: &str = "  TIME      PID      COMM             ACTION  VERDICT  FILE";

/// `start` is when COMMAND was started, in nanoseconds of the monotonic clock.
pub fn format_event(event: &PolicyEvent, policy: &Policy, start: u64) -> String {
    let seconds = event.time.saturating_sub(start) as f64 / 1e9;
    let pid = event.pid;
    let comm = text::printable(text::until_nul(&event.comm));
    let action = match event.action {
        OPEN => "open",
        EXEC => "exec",
        RENAME => "rename",
        LINK => "link",
        _ => "?",
    };
    let verdict = ["audited", "denied"][usize::from(event.denied != 0)];
    let file = format_file(event, &policy.directory);
    format!("  {seconds:<9.3} {pid:<8} {comm:<16} {action:<7} {verdict:<8} {file}")
}

/// The eBPF programs count the directories between, and do not name them.
fn format_file(event: &PolicyEvent, directory: &Path) -> String {
    let name = text::printable(text::until_nul(&event.name));
    let directory = text::printable(directory.as_os_str().as_encoded_bytes());
    let directory = directory.trim_end_matches('/');
    match event.steps {
        0 => directory.to_owned(),
        1 => format!("{directory}/{name}"),
        _ => format!("{directory}/.../{name}"),
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    fn event(steps: u32, name: &[u8]) -> PolicyEvent {
        let mut event = PolicyEvent {
            time: 3_500_000_000,
            pid: 42,
            action: EXEC,
            steps,
            denied: 1,
            ..PolicyEvent::zeroed()
        };
        event.comm[..3].copy_from_slice(b"cat");
        event.name[..name.len()].copy_from_slice(name);
        event
    }

    #[test]
    fn an_event_becomes_a_line() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut policy = Policy::new(directory.path(), false, 1).expect("it is a directory");
        policy.directory = "secret/".into();
        let line = format_event(&event(1, b"plan.txt"), &policy, 3_000_000_000);
        assert_eq!(
            line,
            "  0.500     42       cat              exec    denied   secret/plan.txt"
        );
        assert_eq!(HEADER.find("FILE"), line.find("secret"));
    }

    #[test]
    fn the_directory_itself_has_no_name_after_it() {
        let file = format_file(&event(0, b"secret"), Path::new("../secret/"));
        assert_eq!(file, "../secret");
        let file = format_file(&event(2, b"plan.txt"), Path::new("secret"));
        assert_eq!(file, "secret/.../plan.txt");
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let file = format_file(&event(1, b"\x1b[2J\xff"), Path::new("d"));
        assert_eq!(file, "d/\u{fffd}[2J\u{fffd}");
    }
}
