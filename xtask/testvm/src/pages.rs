//! Files with more holes than bytes, such as a guest's memory, of which most was never touched.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

const PAGE: usize = 4096;

const ZEROS: [u8; PAGE] = [0; PAGE];

/// Read at once.
const BATCH: usize = 1 << 20;

/// Gives `visit` each page of the first `length` bytes that has anything but zeros, with its
/// offset; the last one may be shorter. Which zeros are holes is the file system's business, so a
/// copy has the same pages.
///
/// The file's position moves.
pub fn visit_pages(
    file: &File,
    length: u64,
    mut visit: impl FnMut(u64, &[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BATCH];
    let mut at = 0;
    while let Some((start, end)) = next_data(file, at, length)? {
        at = start;
        while at < end {
            let wanted = buffer
                .len()
                .min(usize::try_from(end - at).unwrap_or(usize::MAX));
            file.read_exact_at(&mut buffer[..wanted], at)?;
            for page in buffer[..wanted].chunks(PAGE) {
                if page != &ZEROS[..page.len()] {
                    visit(at, page)?;
                }
                at += page.len() as u64;
            }
        }
    }
    Ok(())
}

/// Where the next bytes are that are no hole, in whole pages.
fn next_data(file: &File, from: u64, length: u64) -> std::io::Result<Option<(u64, u64)>> {
    if from >= length {
        return Ok(None);
    }
    let start = match seek(file, from, Whence::SeekData) {
        Ok(start) => start,
        // Nothing but a hole follows.
        Err(Errno::ENXIO) => return missing_end(file, length).map_or(Ok(None), Err),
        Err(error) => return Err(error.into()),
    };
    let page = PAGE as u64;
    let start = start - start % page;
    if start >= length {
        return Ok(None);
    }
    let end = seek(file, start.max(from), Whence::SeekHole)?;
    Ok(Some((start, end.next_multiple_of(page).min(length))))
}

fn seek(file: &File, from: u64, whence: Whence) -> Result<u64, Errno> {
    let from = i64::try_from(from).map_err(|_| Errno::EOVERFLOW)?;
    // An offset that was found is never negative.
    lseek(file, from, whence).map(i64::cast_unsigned)
}

/// A file that is shorter than it was has no hole there.
fn missing_end(file: &File, length: u64) -> Option<Error> {
    match file.metadata() {
        Ok(data) if data.len() >= length => None,
        Ok(_) => Some(ErrorKind::UnexpectedEof.into()),
        Err(error) => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its pages, as (offset, length, first byte).
    fn pages(file: &File, length: u64) -> Vec<(u64, usize, u8)> {
        let mut found = Vec::new();
        visit_pages(file, length, |at, page| {
            found.push((at, page.len(), page[0]));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn holes_and_written_zeros_are_alike() {
        let file = tempfile::tempfile().unwrap();
        let far = 300 << 20;
        file.write_all_at(&[0; 3 * PAGE], 0).unwrap();
        file.write_all_at(&[7; PAGE], PAGE as u64).unwrap();
        file.write_all_at(&[8; 10], far).unwrap();
        let length = far + 10;
        assert_eq!(pages(&file, length), [(4096, PAGE, 7), (far, 10, 8)]);
        assert_eq!(pages(&file, 4096 + 5), [(4096, 5, 7)]);
        file.set_len(far + PAGE as u64).unwrap();
        assert_eq!(pages(&file, far + PAGE as u64)[1], (far, PAGE, 8));
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; PAGE], 0).unwrap();
        for length in [4097, 1 << 20] {
            assert!(visit_pages(&file, length, |_, _| Ok(())).is_err());
        }
    }
}
