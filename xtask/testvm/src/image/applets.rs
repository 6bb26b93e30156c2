//! The programs that busybox is: it prints their names, but one for another architecture does not
//! run here.

use anyhow::{Context, Result, ensure};

/// How the names begin in the file, each followed by a NUL: in alphabetical order.
const FIRST: &[u8] = b"[\0[[\0";

/// Reads the names that busybox goes by: `[`, `[[`, `ash`, up to `zcat`.
pub fn read_applets(busybox: &[u8]) -> Result<Vec<String>> {
    let begin =
        memchr::memmem::find(busybox, FIRST).context("busybox does not name its programs")?;
    let names = busybox[begin..].split(|byte| *byte == 0);
    let names = names.take_while(|name| !name.is_empty());
    let names: Vec<String> = names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    ensure!(
        names.iter().any(|name| name == "sh") && names.is_sorted(),
        "the names of busybox's programs cannot be read"
    );
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_an_empty_one() {
        let file = b"\x7fELF[\0no[\0[[\0ash\0sh\0zcat\0\0after\0";
        assert_eq!(
            read_applets(file).unwrap(),
            ["[", "[[", "ash", "sh", "zcat"]
        );
    }

    #[test]
    fn what_is_no_busybox_is_refused() {
        for file in [&b"\x7fELF"[..], b"[\0[[\0cat\0\0", b"[\0[[\0sh\0ash\0\0"] {
            assert!(read_applets(file).is_err());
        }
    }
}
