//! One change, from the bytes that came through the ring buffer to a line of text.

use std::mem::offset_of;

use common::text;
use serde_json::{Value, json};

use crate::records::{self, Kind};

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

#[derive(Debug, Eq, PartialEq)]
pub struct Change {
    pub kind: &'static str,
    pub pid: u32,
    pub process: String,
    /// Seen from the watched directory: `folder/file`.
    pub path: String,
}

impl Change {
    /// The bytes of a [`records::Change`], which end where the names end.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let kind = number(bytes, offset_of!(records::Change, kind));
        let kind = KINDS.iter().find(|(other, _)| *other as u32 == kind);
        Self {
            kind: kind.map_or("unknown", |(_, name)| name),
            pid: number(bytes, offset_of!(records::Change, pid)),
            process: process_name(bytes, offset_of!(records::Change, process)),
            path: path(
                bytes
                    .get(offset_of!(records::Change, names)..)
                    .unwrap_or_default(),
            ),
        }
    }

    pub fn line(&self) -> String {
        format!(
            "{:<11}  {:<15}  pid={:<8}  {}",
            self.kind, self.process, self.pid, self.path
        )
    }

    pub fn json(&self) -> Value {
        json!({
            "type": "change",
            "kind": self.kind,
            "pid": self.pid,
            "process": self.process,
            "path": self.path,
        })
    }
}

/// The program collects names on its way up; a path is read on the way down.
fn path(names: &[u8]) -> String {
    let names = names.strip_suffix(&[0]).unwrap_or(names);
    let path: Vec<_> = names
        .rsplit(|&byte| byte == 0)
        .map(text::printable)
        .collect();
    path.join("/")
}

pub fn process_name(bytes: &[u8], at: usize) -> String {
    text::printable(text::until_nul(bytes.get(at..at + 16).unwrap_or_default()))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u32, process: &[u8], names: &[u8]) -> Vec<u8> {
        let mut name = [0; 16];
        name[..process.len()].copy_from_slice(process);
        [&kind.to_ne_bytes()[..], &42u32.to_ne_bytes(), &name, names].concat()
    }

    #[test]
    fn a_path_is_read_downwards() {
        let change = Change::from_bytes(&bytes(8, b"mv", b"file\0inner\0outer\0"));
        let expected = Change {
            kind: "rename to",
            pid: 42,
            process: "mv".into(),
            path: "outer/inner/file".into(),
        };
        assert_eq!(change, expected);
        assert_eq!(
            change.line(),
            "rename to    mv               pid=42        outer/inner/file"
        );
        assert_eq!(change.json()["path"], "outer/inner/file");
    }

    #[test]
    fn kinds_are_numbered_as_in_the_programs() {
        for (index, (kind, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }

    #[test]
    fn names_cannot_harm_the_terminal() {
        let line = Change::from_bytes(&bytes(0, b"\x1b[2J", b"a\nb\0\xff\0")).line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.ends_with("\u{fffd}/a\u{fffd}b"), "{line:?}");
    }

    #[test]
    fn a_record_that_is_cut_off_is_no_panic() {
        let whole = bytes(1, b"x", b"y\0");
        for length in 0..whole.len() {
            let _ = Change::from_bytes(&whole[..length]);
        }
        assert_eq!(Change::from_bytes(&bytes(77, b"x", b"y\0")).kind, "unknown");
    }

    #[test]
    fn the_layout_is_that_of_the_c_struct() {
        let offsets = [
            offset_of!(records::Change, kind),
            offset_of!(records::Change, pid),
            offset_of!(records::Change, process),
            offset_of!(records::Change, names),
        ];
        assert_eq!(offsets, [0, 4, 8, 24]);
        assert_eq!(size_of::<records::Change>(), 24 + 16 * 256);
    }
}
