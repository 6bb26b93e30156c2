//! The lines that are printed: one for each change, and the contents of the maps in the end.

use std::cmp::Reverse;

use anyhow::{Result, ensure};
use bytemuck::Zeroable as _;
use common::{say, text};

use crate::event::{Change, Counters, KEY_SIZE, Kind, LEVELS, Process, Recent, Watched};
use crate::settings::Settings;

const KINDS: [(Kind, &str); 9] = [
    (Kind::Create, "create"),
    (Kind::Mkdir, "mkdir"),
    (Kind::Mknod, "mknod"),
    (Kind::Symlink, "symlink"),
    (Kind::Link, "link"),
    (Kind::Unlink, "unlink"),
    (Kind::Rmdir, "rmdir"),
    (Kind::RenameFrom, "rename from"),
    (Kind::RenameTo, "rename to"),
];

/// How many lines of a map are shown.
const ROWS: usize = 5;

/// What the maps hold in the end.
pub struct Contents {
    pub counters: Counters,
    pub processes: Vec<(u32, Process)>,
    pub recent: Vec<([u8; KEY_SIZE], Recent)>,
}

pub fn show_start(settings: &Settings, hooks: &[&str]) -> Result<()> {
    let watched = name_watched(settings.watched);
    say(&format!(
        "watching  {watched}, which the program got as a global variable before it was loaded"
    ))?;
    let hooks = hooks.join(", ");
    say(&format!("attached  kprobes to security_inode_*: {hooks}"))
}

/// As `stat` and /proc/self/mountinfo show it
pub fn name_watched(Watched { inode, device }: Watched) -> String {
    format!(
        "inode {inode} on device {}:{}",
        device >> 20,
        device & 0xf_ffff
    )
}

/// A change as a line.
pub fn format_change(record: &[u8]) -> String {
    // Only the bytes in use were sent: the others are zero here.
    let mut change = Change::zeroed();
    let bytes = bytemuck::bytes_of_mut(&mut change);
    let length = record.len().min(bytes.len());
    bytes[..length].copy_from_slice(&record[..length]);
    let kind = KINDS.iter().find(|(kind, _)| *kind as u32 == change.kind);
    let kind = kind.map_or("unknown", |(_, name)| name);
    let comm = text::printable(text::until_nul(bytemuck::bytes_of(&change.comm)));
    let path = path(&change.names);
    format!("  {kind:<11}  {comm:<15}  pid={:<8}  {path}", change.pid)
}

/// The program collects names on its way up, and a path is read on the way down.
fn path(names: &[u8]) -> String {
    let names = names.split(|&byte| byte == 0);
    let mut names: Vec<_> = names
        .take_while(|name| !name.is_empty())
        .map(text::printable)
        .collect();
    names.reverse();
    names.join("/")
}

pub fn show_contents(settings: &Settings, received: u64, contents: Contents) -> Result<()> {
    let Counters {
        changes,
        lost,
        uncounted,
        too_deep,
    } = contents.counters;
    let Settings {
        buffer, processes, ..
    } = settings;
    say(&format!(
        "\nring buffer, {buffer} bytes: {changes} changes = {received} received + {lost} lost"
    ))?;
    ensure!(
        received + lost == changes,
        "some changes are neither received nor lost"
    );

    say(&format!(
        "hash map, room for {processes} processes; changes by each:"
    ))?;
    let mut rows = contents.processes;
    rows.sort_by_key(|(pid, process)| (Reverse(process.changes), *pid));
    for (pid, Process { comm, changes }) in rows.iter().take(ROWS) {
        let comm = text::printable(text::until_nul(bytemuck::bytes_of(comm)));
        say(&format!("  {comm:<15}  pid={pid:<8}  {changes}"))?;
    }
    if uncounted > 0 {
        say(&format!("  by others, which found no room: {uncounted}"))?;
    }

    say("LRU hash map, never full: it drops names that were not used for a long time. The last:")?;
    let mut rows = contents.recent;
    rows.sort_by_key(|(_, recent)| Reverse(recent.last));
    for (name, Recent { changes, .. }) in rows.iter().take(ROWS) {
        let name = text::printable(text::until_nul(name));
        say(&format!("  {name:<15}  {changes}"))?;
    }
    if too_deep > 0 {
        say(&format!(
            "unknown: {too_deep} changes more than {LEVELS} directories deep, here or elsewhere"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    fn record(kind: u32, comm: &[u8], names: &[u8]) -> Vec<u8> {
        let mut name = [0; 16];
        name[..comm.len()].copy_from_slice(comm);
        [&kind.to_ne_bytes()[..], &42u32.to_ne_bytes(), &name, names].concat()
    }

    #[test]
    fn a_path_is_read_downwards() {
        let record = record(Kind::RenameTo as u32, b"mv", b"file\0inner\0outer\0");
        assert_eq!(
            format_change(&record),
            "  rename to    mv               pid=42        outer/inner/file"
        );
    }

    #[test]
    fn kinds_are_numbered_as_in_c() {
        for (number, (kind, name)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, number);
            assert_eq!(
                format!("{kind:?}").to_lowercase(),
                name.replace(' ', ""),
                "the name of {kind:?}"
            );
        }
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let line = format_change(&record(0, b"\x1b[2J", b"a\nb\0\xff\0"));
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.ends_with("\u{fffd}/a\u{fffd}b"), "{line:?}");
    }

    #[test]
    fn a_record_of_another_length_is_no_panic() {
        let whole = record(1, b"x", b"y\0");
        for length in 0..whole.len() {
            let _ = format_change(&whole[..length]);
        }
        let _ = format_change(&[1; size_of::<Change>() + 1]);
        assert!(format_change(&record(77, b"x", b"y\0")).contains("unknown"));
    }

    #[test]
    fn the_layout_is_that_of_the_c_structs() {
        let offsets = [
            offset_of!(Change, kind),
            offset_of!(Change, pid),
            offset_of!(Change, comm),
            offset_of!(Change, names),
        ];
        assert_eq!(offsets, [0, 4, 8, 24]);
        assert_eq!(size_of::<Change>(), 24 + 16 * 256);
        assert_eq!(size_of::<Counters>(), 32);
        assert_eq!((size_of::<Process>(), offset_of!(Process, comm)), (24, 8));
        assert_eq!((size_of::<Recent>(), offset_of!(Recent, last)), (16, 8));
        assert_eq!((size_of::<Watched>(), offset_of!(Watched, device)), (16, 8));
    }

    #[test]
    fn what_is_neither_received_nor_lost_is_an_error() {
        let settings = Settings::new(std::path::Path::new("/proc"), 4096, 2).expect("it exists");
        let contents = || Contents {
            counters: Counters {
                changes: 5,
                lost: 2,
                uncounted: 0,
                too_deep: 0,
            },
            processes: Vec::new(),
            recent: Vec::new(),
        };
        show_contents(&settings, 3, contents()).expect("3 and 2 are 5");
        show_contents(&settings, 2, contents()).expect_err("2 and 2 are not 5");
    }
}
