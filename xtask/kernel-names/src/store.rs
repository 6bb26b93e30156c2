//! The file of one kernel: a line of JSON that says whose names these are, and the packed blocks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use checkout::workspace;
use kernel::{Architecture, SERIES};
use problem::Problem;
use serde::{Deserialize, Serialize};

use crate::blocks::BlockPlace;
use crate::capture::CapturedNames;
use crate::packing::{pack_block, unpack_difference};

/// Which kernel the names were captured from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelVersion {
    pub series: String,
    /// What `uname -r` said.
    pub release: String,
    /// Of Debian's package.
    pub version: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileHeader {
    format: u32,
    kernel: KernelVersion,
    /// The length of each block, packed, and of its text.
    blocks: Vec<(usize, usize)>,
}

/// Changes when older programs cannot read the files any more.
const FORMAT: u32 = 1;

/// The stored names of one kernel.
#[derive(Debug)]
pub struct KernelFile {
    header: FileHeader,
    packed: Vec<u8>,
}

impl KernelFile {
    pub fn read_series(series: &str, architecture: Architecture) -> Result<Self> {
        Self::read_file(&file_path(series, architecture))
    }

    fn read_file(path: &Path) -> Result<Self> {
        let shown = path.display();
        let problem = |what: String| {
            Problem::machine(what)
                .help("git checkout xtask/kernel-names/data")
                .help("after a new kernel came to kernels.lock: cargo xtask where --update")
        };
        let bytes =
            fs::read(path).map_err(|error| problem(format!("cannot read {shown}: {error}")))?;
        Ok(Self::parse_bytes(&bytes)
            .map_err(|error| problem(format!("cannot read {shown}: {error:#}")))?)
    }

    fn parse_bytes(bytes: &[u8]) -> Result<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (line, rest) = bytes.split_at(end.context("it has no first line")?);
        let header: FileHeader =
            serde_json::from_slice(line).context("its first line makes no sense")?;
        ensure!(header.format == FORMAT, "it is of format {}", header.format);
        ensure!(
            header.blocks.len() == BlockPlace::COUNT,
            "it has {} blocks",
            header.blocks.len()
        );
        let packed = rest[1..].to_vec();
        let expected: usize = header.blocks.iter().map(|(packed, _)| packed).sum();
        ensure!(packed.len() == expected, "it ends too early or too late");
        Ok(Self { header, packed })
    }

    /// What is different in a block from its text on the kernel before.
    pub fn read_difference(&self, index: usize, before: &str) -> Result<String> {
        let lengths = &self.header.blocks;
        let start: usize = lengths[..index].iter().map(|(packed, _)| packed).sum();
        let (packed, text) = lengths[index];
        let bytes = &self.packed[start..start + packed];
        unpack_difference(before, bytes, text).with_context(|| {
            let series = &self.header.kernel.series;
            format!("cannot unpack the names of Linux {series}")
        })
    }

    fn format_bytes(
        kernel: &KernelVersion,
        before: &[String],
        blocks: &[String],
    ) -> Result<Vec<u8>> {
        let mut header = FileHeader {
            format: FORMAT,
            kernel: kernel.clone(),
            blocks: Vec::new(),
        };
        let mut packed = Vec::new();
        for (index, block) in blocks.iter().enumerate() {
            let before = before.get(index).map_or("", String::as_str);
            let part = pack_block(before, block)?;
            header.blocks.push((part.bytes.len(), part.text_len));
            packed.extend(part.bytes);
        }
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend(packed);
        Ok(bytes)
    }
}

/// Which kernel the stored names of a series are from.
pub fn stored_version(series: &str, architecture: Architecture) -> Result<KernelVersion> {
    Ok(KernelFile::read_series(series, architecture)?.header.kernel)
}

/// Writes the files of these kernels of an architecture, oldest first, one for each series.
/// Returns their sizes.
pub fn write_captures(
    captures: &[(KernelVersion, CapturedNames)],
    architecture: Architecture,
) -> Result<Vec<u64>> {
    ensure!(
        captures.iter().map(|(kernel, _)| &kernel.series).eq(SERIES),
        "each file is the difference to the kernel before: all are needed"
    );
    let mut before = Vec::new();
    let mut sizes = Vec::new();
    for (kernel, capture) in captures {
        let blocks = capture.format_blocks();
        let bytes = KernelFile::format_bytes(kernel, &before, &blocks)?;
        replace_file(&file_path(&kernel.series, architecture), &bytes)?;
        sizes.push(bytes.len() as u64);
        before = blocks;
    }
    Ok(sizes)
}

/// A command that is ended leaves the old file or the new one.
fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let new = path.with_extension("new");
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(cannot)?;
    }
    fs::write(&new, bytes).with_context(cannot)?;
    fs::rename(&new, path).with_context(cannot)
}

fn file_path(series: &str, architecture: Architecture) -> PathBuf {
    let root = workspace::workspace_root();
    let data = root.join("xtask/kernel-names/data");
    data.join(architecture.name())
        .join(format!("{series}.names"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        let kernel = KernelVersion {
            series: "6.1".to_owned(),
            release: "6.1.0-50".to_owned(),
            version: "6.1.176-1".to_owned(),
        };
        let before = vec!["a\t1\n".to_owned(); BlockPlace::COUNT];
        let blocks = vec!["a\t1\nb\t2\n".to_owned(); BlockPlace::COUNT];
        KernelFile::format_bytes(&kernel, &before, &blocks).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let file = KernelFile::parse_bytes(&bytes()).unwrap();
        assert_eq!(file.header.kernel.version, "6.1.176-1");
        for index in 0..BlockPlace::COUNT {
            assert_eq!(file.read_difference(index, "a\t1\n").unwrap(), "b\t2\n");
        }
    }

    #[test]
    fn a_damaged_file_says_how_to_get_it_back() {
        let whole = bytes();
        assert!(KernelFile::parse_bytes(&whole[..whole.len() - 1]).is_err());
        assert!(KernelFile::parse_bytes(b"").is_err());
        assert!(KernelFile::parse_bytes(b"{}\n").is_err());
        let error = KernelFile::read_file(Path::new("/nowhere/6.1.names")).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(
            problem
                .to_string()
                .starts_with("cannot read /nowhere/6.1.names")
        );
        assert!(problem.help_lines()[0].starts_with("git checkout"));
    }
}
