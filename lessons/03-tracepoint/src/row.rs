//! One event as a line: in columns for people, in JSON for programs.

use common::text;
use serde_json::{Value, json};

use crate::event::{Event, UNKNOWN};
use crate::way::Way;

impl Event {
    /// The bytes that either kernel side wrote. `None` if they are not as many as an event has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the length is that of an Event, which is made of integers: any bytes are one.
        (bytes.len() == size_of::<Self>())
            .then(|| unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    pub fn ppid(&self) -> Option<u32> {
        (self.ppid != UNKNOWN).then_some(self.ppid)
    }

    pub fn comm(&self) -> String {
        text::printable(text::until_nul(&self.comm))
    }

    /// Ends with `...` where the kernel side had no room for more.
    pub fn filename(&self) -> String {
        let name = text::until_nul(&self.filename);
        let cut = if name.len() + 1 == self.filename.len() {
            "..."
        } else {
            ""
        };
        text::printable(name) + cut
    }
}

pub fn header(with_way: bool) -> String {
    let way = if with_way { "WAY         " } else { "" };
    format!(
        "{way}        TIME      PID     PPID    UID  {:<16}  FILENAME",
        "COMM"
    )
}

pub fn columns(event: &Event, with_way: bool) -> String {
    let way = if with_way {
        format!("{:<12}", name(event))
    } else {
        String::new()
    };
    let ppid = event
        .ppid()
        .map_or_else(|| "-".to_owned(), |ppid| ppid.to_string());
    let seconds = event.time as f64 / 1e9;
    let Event { pid, uid, .. } = event;
    format!(
        "{way}{seconds:>12.6}  {pid:>7}  {ppid:>7}  {uid:>5}  {:<16}  {}",
        event.comm(),
        event.filename()
    )
}

pub fn json(event: &Event) -> Value {
    json!({
        "type": "exec",
        "way": name(event),
        "time_ns": event.time,
        "pid": event.pid,
        "old_pid": event.old_pid,
        "ppid": event.ppid(),
        "uid": event.uid,
        "comm": event.comm(),
        "filename": event.filename(),
    })
}

fn name(event: &Event) -> String {
    Way::of(event.way).map_or_else(|| "?".to_owned(), |way| way.to_string())
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::event;

    /// As the kernel side in C lays it out.
    fn bytes(comm: &[u8], filename: &[u8]) -> Vec<u8> {
        let mut bytes = 1_500_000_000u64.to_ne_bytes().to_vec();
        for word in [event::RAW, 71, 72, 70, 1000] {
            bytes.extend(word.to_ne_bytes());
        }
        for (text, size) in [(comm, 16), (filename, 252)] {
            bytes.extend(text);
            bytes.resize(bytes.len() + size - text.len(), 0);
        }
        bytes
    }

    #[test]
    fn the_layout_is_that_of_the_struct_in_c() {
        let offsets = [
            offset_of!(Event, time),
            offset_of!(Event, way),
            offset_of!(Event, pid),
            offset_of!(Event, old_pid),
            offset_of!(Event, ppid),
            offset_of!(Event, uid),
            offset_of!(Event, comm),
            offset_of!(Event, filename),
        ];
        assert_eq!(offsets, [0, 8, 12, 16, 20, 24, 28, 44]);
        assert_eq!(size_of::<Event>(), 296);
    }

    #[test]
    fn columns_stand_below_their_names() {
        let event = Event::from_bytes(&bytes(b"ls", b"/bin/ls")).expect("the size is right");
        let line = columns(&event, true);
        assert_eq!(
            line,
            "raw             1.500000       71       70   1000  ls                /bin/ls"
        );
        let header = header(true);
        for name in ["WAY", "COMM", "FILENAME"] {
            let at = header.find(name).expect(name);
            assert!(
                line[..at].chars().next_back().is_none_or(|c| c == ' '),
                "{name}"
            );
            assert!(!line[at..].starts_with(' '), "{name}");
        }
        for (name, value) in [
            ("TIME", "1.500000"),
            ("PID", "71"),
            ("PPID", "70"),
            ("UID", "1000"),
        ] {
            let end = header.find(&format!("{name} ")).expect(name) + name.len();
            assert!(line[..end].ends_with(value), "{name}");
        }
    }

    #[test]
    fn a_parent_that_is_not_known_is_no_number() {
        let mut event = Event::from_bytes(&bytes(b"ls", b"/bin/ls")).expect("the size is right");
        event.ppid = UNKNOWN;
        assert!(columns(&event, false).contains("      -   1000"));
        assert_eq!(json(&event)["ppid"], Value::Null);
        assert_eq!(json(&event)["old_pid"], 72);
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let event =
            Event::from_bytes(&bytes(b"\x1b[2J", b"a\nb\xff\x9b")).expect("the size is right");
        for line in [columns(&event, true), json(&event).to_string()] {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn a_name_that_was_cut_says_so() {
        let event = |length| {
            Event::from_bytes(&bytes(b"", &vec![b'x'; length])).expect("the size is right")
        };
        assert!(event(251).filename().ends_with("x..."));
        assert!(event(250).filename().ends_with("xx"));
        // No zero at the end: the kernel never writes this, but it must not be a reason to fail.
        assert_eq!(event(252).filename().len(), 252);
    }

    #[test]
    fn other_sizes_are_no_events() {
        let whole = bytes(b"ls", b"/bin/ls");
        for length in [0, 8, 295] {
            assert!(Event::from_bytes(&whole[..length]).is_none());
        }
    }
}
