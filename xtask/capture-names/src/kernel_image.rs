//! What a kernel's image has of BTF. A vmlinux has sections; an Image of arm64 is the kernel's
//! memory as it is, without any table of what is where.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::btf::Btf;
use object::elf::ELFMAG;
use object::{Object as _, ObjectSection as _};
use tempfile::NamedTempFile;

use crate::id_sets::IdSets;

pub struct KernelImage {
    pub btf: Btf<'static>,
    pub sets: IdSets,
}

impl KernelImage {
    pub fn parse_bytes(image: &[u8]) -> Result<Self> {
        // To EFI, an Image of arm64 is a file with sections too, of another format.
        let (types, ids) = if image.starts_with(&ELFMAG) {
            let file = object::File::parse(image).context("cannot read the kernel's image")?;
            (section(&file, ".BTF")?, section(&file, ".BTF_ids")?)
        } else {
            find_in_memory(image)?
        };
        Ok(Self {
            btf: read_types(types)?,
            sets: IdSets::read_section(ids),
        })
    }
}

fn section<'a>(file: &object::File<'a>, name: &str) -> Result<&'a [u8]> {
    let section = file.section_by_name(name);
    let section = section.with_context(|| format!("the kernel's image has no section {name}"))?;
    let data = section.data();
    data.with_context(|| format!("cannot read {name}"))
}

/// libbpf takes the types alone from a file only.
fn read_types(types: &[u8]) -> Result<Btf<'static>> {
    let mut file = NamedTempFile::new().context("cannot write the kernel's BTF")?;
    file.write_all(types)
        .context("cannot write the kernel's BTF")?;
    Btf::from_path(file.path()).context("cannot read the BTF of the kernel's image")
}

/// `struct btf_header` of version 1 begins so: the magic number, the version, no flags, its length.
const HEADER: [u8; 8] = [0x9f, 0xeb, 1, 0, HEADER_LENGTH as u8, 0, 0, 0];
const HEADER_LENGTH: usize = 24;

/// `.BTF_ids` begins on the next page in Linux 6.16 and later, in 6.12 and earlier on the next
/// number.
const PAGE: usize = 4096;
const NUMBER: usize = 4;

/// More zeros than there are in `.BTF_ids`; at least as many follow it, up to the next section.
const GAP: [u8; 64] = [0; 64];

/// The types, and the numbers of `.BTF_ids`, which the kernel's linker script puts behind them.
fn find_in_memory(image: &[u8]) -> Result<(&[u8], &[u8])> {
    let start = find_bytes(image, &HEADER).context("the kernel's image has no BTF")?;
    let types = &image[start..];
    let number = |at: usize| {
        let bytes = types.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map(|bytes| u32::from_le_bytes(*bytes) as usize)
    };
    // The strings come last: where they begin, counted from the header's end, and their length.
    let strings = number(16).zip(number(20));
    let (offset, length) = strings.context("the header of the kernel's BTF is cut short")?;
    let end = HEADER_LENGTH + offset + length;
    ensure!(end <= types.len(), "the kernel's BTF is cut short");
    let next = (start + end).next_multiple_of(NUMBER);
    let ids = match image[next..].starts_with(&GAP) {
        true => next.next_multiple_of(PAGE),
        false => next,
    };
    let ids = image.get(ids..).unwrap_or_default();
    let length = find_bytes(ids, &GAP).context("nothing ends the kernel's .BTF_ids")?;
    Ok((&types[..end], &ids[..length.next_multiple_of(NUMBER)]))
}

fn find_bytes(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types of three bytes and strings of five, then ids after so many zeros.
    fn image(zeros: usize) -> Vec<u8> {
        let header: Vec<u8> = [0, 3, 3, 5]
            .iter()
            .flat_map(|it: &u32| it.to_le_bytes())
            .collect();
        let types = [&HEADER[..], &header, b"typ", b"\0int\0"].concat();
        let ids: Vec<u8> = [2, 0, 256]
            .iter()
            .flat_map(|it: &u32| it.to_le_bytes())
            .collect();
        [&[7; 100][..], &types, &vec![0; zeros], &ids, &GAP, &[9; 8]].concat()
    }

    #[test]
    fn types_and_ids_are_found_without_sections() {
        let on_next_page = PAGE - 132;
        for zeros in [0, on_next_page] {
            let image = image(zeros);
            let (types, ids) = find_in_memory(&image).unwrap();
            assert_eq!(types.len(), HEADER_LENGTH + 8);
            assert!(types.ends_with(b"\0int\0"));
            assert_eq!(ids, [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let image = image(0);
        for length in [0, 100, 120, 130, 140] {
            assert!(find_in_memory(&image[..length]).is_err(), "{length}");
        }
    }
}
