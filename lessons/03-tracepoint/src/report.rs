//! What is printed: a line for each event, and what the demo says about the three ways, with the
//! numbers of the running kernel.

use anyhow::Result;
use common::{say, text};

use crate::event::{Event, UNKNOWN};
use crate::format::Format;
use crate::way::{EVENT, NAMES, Way};

pub const HEADER: &str =
    "WAY                 TIME      PID     PPID    UID  COMM              FILENAME";

pub fn format_event(event: &Event) -> String {
    let way = NAMES.get(event.way as usize).unwrap_or(&"unknown");
    let seconds = event.time as f64 / 1e9;
    let ppid = match event.ppid {
        UNKNOWN => "-".to_owned(),
        ppid => ppid.to_string(),
    };
    let Event { pid, uid, .. } = event;
    let comm = text::printable(text::until_nul(&event.comm));
    let filename = text::until_nul(&event.filename);
    let was_cut = filename.len() + 1 == event.filename.len();
    let dots = if was_cut { "..." } else { "" };
    let filename = text::printable(filename);
    format!("{way:<12}{seconds:>12.6}  {pid:>7}  {ppid:>7}  {uid:>5}  {comm:<16}  {filename}{dots}")
}

pub fn show_sum(buffer: u32, seen: u64, lost: u64) -> Result<()> {
    say(&format!("\nseen      {seen} events, {lost} lost"))?;
    if lost > 0 {
        let more = buffer / 1024 * 4;
        say(&format!("help      --buffer {more} holds more"))?;
    }
    Ok(())
}

pub fn explain_ways(ways: &[Way]) -> Result<()> {
    say(INTRODUCTION)?;
    for way in ways {
        match way {
            Way::Tracepoint => explain_record()?,
            Way::Raw => say(RAW)?,
            Way::Btf => say(BTF)?,
        }
    }
    Ok(())
}

fn explain_record() -> Result<()> {
    say(RECORD)?;
    let mut common = 0;
    for field in Format::read_format(EVENT)?.fields {
        let (declaration, offset, size) = (field.declaration, field.offset, field.size);
        if declaration.contains(" common_") {
            common += size;
        } else {
            say(&format!(
                "            offset {offset:>2}, size {size}: {declaration}"
            ))?;
        }
    }
    // An event of the same category that did change: Linux 6.12 and 6.18 were looked at.
    let example = Format::read_format("sched_process_fork")?;
    let moved = example.field("pid_t child_pid")?.offset;
    let text = OFFSETS.replace("COMMON", &common.to_string());
    say(&text.replace("MOVED", &moved.to_string()))
}

pub fn explain_thread(Event { old_pid, pid, .. }: &Event) -> Result<()> {
    let what = "It is the only one now, with the id of process";
    say(&format!(
        "old_pid: thread {old_pid} called execve. {what} {pid}."
    ))
}

const INTRODUCTION: &str = "\
event       sched_process_exec: a process has started to run another program
";

const RECORD: &str = "\
tracepoint  The kernel writes a record of the event. Its file `format` says where the fields are:";

const OFFSETS: &str = "            \
            __data_loc is not the text: it says where in the record the text is, and its length.
            The offsets are read at each start, because they move. The record begins with COMMON
            bytes that all events have, and some kernels have more of them. Events change as well:
            sched_process_fork has child_pid at offset MOVED here (44 in Linux 6.12, 20 in 6.18).
";

const RAW: &str = "\
raw         No record: the program gets the arguments of the event. A helper reads from them.
";

const BTF: &str = "\
btf         The same arguments, with their types: the verifier allows loads of their fields.
";

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use common::record;

    use super::*;
    use crate::event;

    /// As the programs in C lay it out.
    fn event(comm: &[u8], filename: &[u8]) -> Event {
        let mut bytes = 1_500_000_000u64.to_ne_bytes().to_vec();
        for word in [event::RAW, 71, 72, 70, 1000] {
            bytes.extend(word.to_ne_bytes());
        }
        for (text, size) in [(comm, 16), (filename, 252)] {
            bytes.extend(text);
            bytes.resize(bytes.len() + size - text.len(), 0);
        }
        record::from_bytes(&bytes).expect("the size is right")
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
    fn ways_have_the_numbers_of_the_programs() {
        let numbers = [event::TRACEPOINT, event::RAW, event::BTF];
        assert_eq!(Way::ALL.map(|way| way as u32), numbers);
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn columns_are_under_their_names() {
        let line = format_event(&event(b"ls", b"/bin/ls"));
        assert_eq!(
            line,
            "raw             1.500000       71       70   1000  ls                /bin/ls"
        );
        for name in ["WAY", "COMM", "FILENAME"] {
            let at = HEADER.find(name).expect(name);
            let before = line[..at].chars().next_back();
            assert!(before.is_none_or(|before| before == ' '), "{name}");
            assert!(!line[at..].starts_with(' '), "{name}");
        }
        let values = [
            ("TIME", "1.500000"),
            ("PID", "71"),
            ("PPID", "70"),
            ("UID", "1000"),
        ];
        for (name, value) in values {
            let end = HEADER.find(&format!("{name} ")).expect(name) + name.len();
            assert!(line[..end].ends_with(value), "{name}");
        }
    }

    #[test]
    fn an_unknown_parent_is_not_shown_as_a_number() {
        let mut event = event(b"ls", b"/bin/ls");
        event.ppid = UNKNOWN;
        assert!(format_event(&event).contains("      -   1000"));
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let line = format_event(&event(b"\x1b[2J", b"a\nb\xff\x9b"));
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }

    #[test]
    fn a_name_that_was_cut_says_so() {
        let line = |length| format_event(&event(b"", &vec![b'x'; length]));
        assert!(line(251).ends_with("x..."));
        assert!(line(250).ends_with("xx"));
        // No zero at the end: the kernel never writes this, but it must not be a reason to fail.
        assert!(line(252).ends_with("xx"));
    }
}
