//! One call as a row of the table, and as a line of JSON.

use common::text;
use serde_json::{Value, json};

use crate::event::{Event, FEXIT};
use crate::histogram::time;
use crate::tracer::Way;

pub const HEADER: &str = "seen by        pid  parent  command          result       took  how                       file";

pub fn line(event: &Event) -> String {
    format!(
        "{:<9} {:>8} {:>7}  {:<15}  {:<8} {:>10}  {:<25} {}",
        way(event).exit(),
        event.pid,
        event.parent,
        text::printable(text::until_nul(&event.comm)),
        result(event),
        took(event).map_or("unknown".to_owned(), time),
        flags(event.flags),
        file(event),
    )
}

pub fn json(event: &Event) -> Value {
    json!({
        "event": "open",
        "way": way(event).exit(),
        "pid": event.pid,
        "tid": event.tid,
        "ppid": event.parent,
        "command": String::from_utf8_lossy(text::until_nul(&event.comm)),
        "dirfd": event.dirfd,
        "file": String::from_utf8_lossy(text::until_nul(&event.file)),
        "flags": flags(event.flags),
        "result": event.result,
        "error": error(event.result),
        "took_ns": took(event),
    })
}

pub fn way(event: &Event) -> Way {
    if event.way == FEXIT {
        Way::Fentry
    } else {
        Way::Kprobe
    }
}

/// Unknown when there was no room to note when the call began.
pub fn took(event: &Event) -> Option<u64> {
    (event.start != 0).then_some(event.took)
}

fn result(event: &Event) -> String {
    match error(event.result) {
        Some(name) => format!("-{name}"),
        None if event.result < 0 => event.result.to_string(),
        None => format!("fd {}", event.result),
    }
}

/// `ENOENT`
fn error(result: i32) -> Option<String> {
    let text = text::errno(result.into())?;
    text.split_once(':').map(|(name, _)| name.to_owned())
}

/// A name that fills the buffer may have been longer.
fn file(event: &Event) -> String {
    let name = text::until_nul(&event.file);
    let more = if name.len() + 1 == event.file.len() {
        "..."
    } else {
        ""
    };
    text::printable(name) + more
}

/// The flags of open(2) that programs use every day, with their numbers on x86-64. The others are
/// hidden.
const FLAGS: [(u64, &str); 9] = [
    (0o100, "CREAT"),
    (0o200, "EXCL"),
    (0o1000, "TRUNC"),
    (0o2000, "APPEND"),
    (0o4000, "NONBLOCK"),
    (0o200_000, "DIRECTORY"),
    (0o400_000, "NOFOLLOW"),
    (0o2_000_000, "CLOEXEC"),
    (0o10_000_000, "PATH"),
];

fn flags(flags: u64) -> String {
    let mut names = vec![["RDONLY", "WRONLY", "RDWR", "3"][(flags & 3) as usize]];
    names.extend(
        FLAGS
            .iter()
            .filter(|(bit, _)| flags & bit != 0)
            .map(|(_, name)| name),
    );
    names.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracer::decode;

    fn event() -> Event {
        let mut event: Event = decode(&[0; 192]).expect("that is its size");
        event.file[..6].copy_from_slice(b"\x1b[2Jok");
        event.comm[..3].copy_from_slice(b"a\rb");
        event
    }

    #[test]
    fn nothing_from_the_kernel_reaches_the_terminal_unescaped() {
        let text = line(&event());
        assert!(!text.chars().any(char::is_control), "{text:?}");
        let text = json(&event()).to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn results_have_names() {
        let of = |number| {
            result(&Event {
                result: number,
                ..event()
            })
        };
        assert_eq!([of(3), of(-2), of(-512)], ["fd 3", "-ENOENT", "-512"]);
    }

    #[test]
    fn a_time_that_nobody_noted_is_unknown() {
        assert!(line(&event()).contains(" unknown "));
        assert_eq!(json(&event())["took_ns"], Value::Null);
        assert!(
            line(&Event {
                start: 1,
                took: 1_500,
                ..event()
            })
            .contains(" 1.5 us ")
        );
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(flags(0o2_000_301), "WRONLY|CREAT|EXCL|CLOEXEC");
        assert_eq!(flags(0o100_000), "RDONLY");
    }

    #[test]
    fn a_long_name_says_that_it_is_cut() {
        let mut long = event();
        long.file = [b'x'; 128];
        long.file[127] = 0;
        assert!(file(&long).ends_with("xx..."));
    }
}
