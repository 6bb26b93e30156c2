//! libelf and zlib for the programs of a guest of another architecture: libbpf needs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::Architecture;

use crate::apt::Suite;
use crate::fault;
use crate::record::{self, State};
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::format_megabytes;

/// Its libraries want no newer C library than the cross compiler of any Debian that has a QEMU for
/// the course.
const SUITE: &str = "bookworm";
const PACKAGES: [&str; 2] = ["libelf-dev", "zlib1g-dev"];
const ARCHIVES: [&str; 2] = ["libelf.a", "libz.a"];

pub struct CrossLibraries {
    pub architecture: Architecture,
}

impl Requirement for CrossLibraries {
    fn name(&self) -> String {
        format!("libelf for {}", self.architecture)
    }

    fn is_met(&self) -> bool {
        record::compare_sizes(&directory(self.architecture)) == State::Whole
    }

    fn is_whole(&self) -> bool {
        record::compare_checksums(&directory(self.architecture)) == State::Whole
    }

    fn bytes(&self) -> u64 {
        30_000_000
    }

    fn plan(&self) -> Option<String> {
        Some(format!(
            "libelf and zlib from Debian {SUITE}: fetch and keep 1 MB"
        ))
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        fetch_libraries(site, self)
    }
}

fn directory(architecture: Architecture) -> PathBuf {
    workspace::foreign_libraries(architecture.name())
}

fn fetch_libraries(site: &SetupSite, libraries: &CrossLibraries) -> Result<()> {
    site::may_fill_cache(site)?;
    let suite = Suite::open(site, SUITE, libraries.architecture)?;
    let packages = suite.show_packages(&PACKAGES)?;
    let step = site.start_step(&libraries.name(), "libelf and zlib");
    let unpacked = site.create_stage("unpacked")?;
    suite.unpack_packages(site, &packages, &unpacked, &step)?;
    let staged = site.create_stage("libraries")?;
    let triplet = libraries.architecture.gnu_triplet();
    keep_archives(&unpacked, &staged, triplet)?;
    record::write_record(&staged)?;
    let place = directory(libraries.architecture);
    if let Some(parent) = place.parent() {
        site::create_directory(parent)?;
    }
    site.move_into_place(&staged, &place)?;
    let size = format_megabytes(record::count_bytes(&place));
    step.report_done(&format!("in place, {size}"));
    Ok(())
}

/// Headers and archives, as the packages lay them out. Their links to shared libraries lead nowhere
/// without the libraries' own packages, and the linker would prefer them.
fn keep_archives(unpacked: &Path, staged: &Path, triplet: &str) -> Result<()> {
    let (headers, archives) = (
        PathBuf::from("usr/include"),
        Path::new("usr/lib").join(triplet),
    );
    site::create_directory(&staged.join(&archives))?;
    move_path(&unpacked.join(&headers), &staged.join(&headers))?;
    for name in ARCHIVES {
        let from = unpacked.join(&archives).join(name);
        move_path(&from, &staged.join(&archives).join(name))
            .with_context(|| format!("the packages of Debian {SUITE} have no {name}"))?;
    }
    Ok(())
}

fn move_path(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .map_err(|error| fault::io_problem(format!("move {}", from.display()), &error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_libraries_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let (unpacked, staged) = (directory.path().join("a"), directory.path().join("b"));
        let library = unpacked.join("usr/lib/aarch64-linux-gnu");
        fs::create_dir_all(&library).unwrap();
        fs::create_dir_all(unpacked.join("usr/include")).unwrap();
        for name in ["libelf.a", "libz.a", "libelf.so"] {
            fs::write(library.join(name), "").unwrap();
        }
        keep_archives(&unpacked, &staged, "aarch64-linux-gnu").unwrap();
        let kept = staged.join("usr/lib/aarch64-linux-gnu");
        assert!(ARCHIVES.iter().all(|name| kept.join(name).is_file()));
        assert!(!kept.join("libelf.so").exists());
    }
}
