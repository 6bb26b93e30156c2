//! One call as a row of the table, and the sum of all calls.

use anyhow::Result;
use common::{histogram, say, text};
use nix::fcntl::OFlag;

use crate::event::{FEXIT, KRETPROBE, OpenEvent, OpenTotals};

const NAMES: [&str; 2] = ["fexit", "kretprobe"];

pub const HEADER: &str =
    "seen by        pid  parent  command          result       took  flags                    file";

pub fn format_event(event: &OpenEvent) -> String {
    format!(
        "{:<9} {:>8} {:>7}  {:<15}  {:<8} {:>10}  {:<23}  {}",
        NAMES[usize::from(event.seen_by != FEXIT)],
        event.pid,
        event.parent,
        text::printable(text::until_nul(&event.comm)),
        format_result(event.result),
        format_time(event),
        format_flags(event.flags),
        text::printable_name(&event.filename),
    )
}

/// `fd 3`, or `-ENOENT`
fn format_result(result: i32) -> String {
    match text::errno_name(result.into()) {
        Some(name) => format!("-{name}"),
        None if result < 0 => result.to_string(),
        None => format!("fd {result}"),
    }
}

/// Unknown when there was no room to note when the call began.
fn format_time(event: &OpenEvent) -> String {
    match event.start {
        0 => "unknown".to_owned(),
        _ => histogram::format_nanoseconds(event.took),
    }
}

/// The flags of open(2) by their names: `WRONLY|CREAT|EXCL|CLOEXEC`. Flags that nix does not know
/// are left out.
fn format_flags(flags: u64) -> String {
    let mut names = vec![["RDONLY", "WRONLY", "RDWR", "3"][(flags & 3) as usize]];
    let others = OFlag::from_bits_truncate(flags as i32) & !OFlag::O_ACCMODE;
    for (name, _) in others.iter_names() {
        names.push(name.trim_start_matches("O_"));
    }
    names.join("|")
}

/// Each CPU counts for itself.
pub fn add_up(cpus: &[OpenTotals]) -> OpenTotals {
    let mut sum: OpenTotals = bytemuck::Zeroable::zeroed();
    for totals in cpus {
        sum.calls += totals.calls;
        sum.lost += totals.lost;
        sum.no_room += totals.no_room;
        for (row, calls) in sum.latency.iter_mut().zip(totals.latency) {
            *row += calls;
        }
    }
    sum
}

/// `read_totals` takes a pair of programs, `FEXIT` or `KRETPROBE`.
pub fn show_totals(read_totals: impl Fn(u32) -> Result<OpenTotals>) -> Result<()> {
    let fexit = read_totals(FEXIT)?;
    say("")?;
    show_counts("fexit", &fexit, "their time is unknown")?;
    let kretprobe = read_totals(KRETPROBE)?;
    show_counts("kretprobe", &kretprobe, "nothing is known of them")?;
    say("\nhow many calls took how long, by fexit:")?;
    for line in histogram::format_rows(&fexit.latency) {
        say(&line)?;
    }
    Ok(())
}

fn show_counts(name: &str, totals: &OpenTotals, unknown: &str) -> Result<()> {
    let (calls, lost, no_room) = (totals.calls, totals.lost, totals.no_room);
    say(&format!(
        "{name:<10} {calls} calls, of which {lost} did not fit into the ring buffer"
    ))?;
    say(&format!(
        "           {no_room} began when the map was full: {unknown}"
    ))
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    #[test]
    fn nothing_from_the_kernel_reaches_the_terminal_unescaped() {
        let mut event = OpenEvent::zeroed();
        event.filename[..6].copy_from_slice(b"\x1b[2Jok");
        event.comm[..3].copy_from_slice(b"a\rb");
        let text = format_event(&event);
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn results_have_names() {
        assert_eq!(
            [3, -2, -512].map(format_result),
            ["fd 3", "-ENOENT", "-512"]
        );
    }

    #[test]
    fn a_time_that_nobody_noted_is_unknown() {
        let mut event = OpenEvent {
            took: 1_500,
            ..OpenEvent::zeroed()
        };
        assert_eq!(format_time(&event), "unknown");
        event.start = 1;
        assert_eq!(format_time(&event), "1.5 us");
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(format_flags(0o2_000_301), "WRONLY|CLOEXEC|CREAT|EXCL");
        assert_eq!(format_flags(0o20_000_000_000), "RDONLY");
    }

    #[test]
    fn the_cpus_are_added_up() {
        let one = OpenTotals {
            calls: 1,
            lost: 2,
            no_room: 3,
            latency: [4; 64],
        };
        let sum = add_up(&[one, one]);
        assert_eq!(
            (sum.calls, sum.lost, sum.no_room, sum.latency[63]),
            (2, 4, 6, 8)
        );
    }
}
