//! One event of the kernel side, as a line. Both implementations end up with the same.

use std::path::Path;

use common::text;
use serde_json::{Value, json};

use crate::event::{EXEC, Event, LINK, OPEN, RENAME};

pub const HEADER: &str = "  TIME      PID      COMM             ACTION  VERDICT  FILE";

/// The bytes of an `Event`; none when they are too few.
pub fn decode(bytes: &[u8]) -> Option<Event> {
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some(Event {
        time: u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?),
        pid: word(8)?,
        action: word(12)?,
        steps: word(16)?,
        denied: word(20)?,
        comm: bytes.get(24..40)?.try_into().ok()?,
        name: bytes.get(40..296)?.try_into().ok()?,
    })
}

/// `start` is when the policy began, on the same clock.
pub fn line(event: &Event, directory: &Path, start: u64) -> String {
    let seconds = event.time.saturating_sub(start) as f64 / 1e9;
    let comm = text::printable(text::until_nul(&event.comm));
    format!(
        "  {seconds:<9.3} {:<8} {comm:<16} {:<7} {:<8} {}",
        event.pid,
        action(event),
        verdict(event),
        file(event, directory)
    )
}

/// `unix` is the time of day at the zero of the monotonic clock, in nanoseconds.
pub fn json(event: &Event, directory: &Path, unix: u64) -> Value {
    json!({
        "type": "event",
        "unix_ns": unix + event.time,
        "pid": event.pid,
        "comm": text::printable(text::until_nul(&event.comm)),
        "action": action(event),
        "verdict": verdict(event),
        "file": file(event, directory),
    })
}

fn action(event: &Event) -> &'static str {
    match event.action {
        OPEN => "open",
        EXEC => "exec",
        RENAME => "rename",
        LINK => "link",
        _ => "?",
    }
}

fn verdict(event: &Event) -> &'static str {
    if event.denied != 0 {
        "denied"
    } else {
        "audited"
    }
}

/// The kernel side counts the folders between and does not name them.
fn file(event: &Event, directory: &Path) -> String {
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
    use std::mem::offset_of;

    use super::*;

    fn event(steps: u32, name: &[u8]) -> Event {
        let mut event = Event {
            time: 3_500_000_000,
            pid: 42,
            action: EXEC,
            steps,
            denied: 1,
            comm: [0; 16],
            name: [0; 256],
        };
        event.comm[..3].copy_from_slice(b"cat");
        event.name[..name.len()].copy_from_slice(name);
        event
    }

    fn bytes(event: &Event) -> Vec<u8> {
        let words = [event.pid, event.action, event.steps, event.denied];
        let words = words.map(u32::to_ne_bytes).concat();
        [
            &event.time.to_ne_bytes()[..],
            &words,
            &event.comm,
            &event.name,
        ]
        .concat()
    }

    // What clang makes of `struct event`: numbers first, each at a multiple of its size, and
    // nothing between.
    #[test]
    fn the_layout_has_no_gaps() {
        assert_eq!(size_of::<Event>(), 296);
        let offsets = [
            offset_of!(Event, time),
            offset_of!(Event, pid),
            offset_of!(Event, action),
            offset_of!(Event, steps),
            offset_of!(Event, denied),
            offset_of!(Event, comm),
            offset_of!(Event, name),
        ];
        assert_eq!(offsets, [0, 8, 12, 16, 20, 24, 40]);
    }

    #[test]
    fn bytes_become_a_line() {
        let event = decode(&bytes(&event(1, b"plan.txt"))).expect("there are enough bytes");
        let line = line(&event, Path::new("secret/"), 3_000_000_000);
        assert_eq!(
            line,
            "  0.500     42       cat              exec    denied   secret/plan.txt"
        );
        assert_eq!(HEADER.find("FILE"), line.find("secret"));
    }

    #[test]
    fn bytes_become_json() {
        let value = json(&event(2, b"plan.txt"), Path::new("secret"), 1_000);
        let expected = json!({"type": "event", "unix_ns": 3_500_001_000u64, "pid": 42, "comm": "cat",
            "action": "exec", "verdict": "denied", "file": "secret/.../plan.txt"});
        assert_eq!(value, expected);
    }

    #[test]
    fn the_directory_itself_has_no_name_after_it() {
        assert_eq!(
            file(&event(0, b"secret"), Path::new("../secret/")),
            "../secret"
        );
    }

    #[test]
    fn too_few_bytes_are_no_event() {
        let bytes = bytes(&event(1, b"x"));
        assert!(decode(&bytes[..295]).is_none());
        assert!(decode(&[]).is_none());
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        assert_eq!(
            file(&event(1, b"\x1b[2J\xff"), Path::new("d")),
            "d/\u{fffd}[2J\u{fffd}"
        );
    }
}
