//! `--target NAME=TARGET`: where to attach a program whose section does not say.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result};
use kernel::Architecture;
use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::FileHeader as _;
use problem::Problem;
use testvm::image::Archive;

/// Where files that targets name are in the guest.
const DIRECTORY: &str = "targets";

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttachTarget {
    pub program: String,
    /// As the user named it: a function, `CATEGORY/EVENT`, `BINARY:FUNCTION`, `OBJECT:PROGRAM`.
    pub place: String,
}

impl AttachTarget {
    /// The file of this machine that it names, and what follows it.
    fn file(&self) -> Option<(&Path, &str)> {
        // Of USDT, a provider and a name follow; paths may have colons too.
        let colons = self.place.rmatch_indices(':');
        let mut splits =
            colons.map(|(at, _)| (Path::new(&self.place[..at]), &self.place[at + 1..]));
        splits.find(|(path, _)| path.is_file())
    }

    /// Refuses a program that guests of one of these architectures cannot run.
    pub fn check_file(&self, architectures: &[Architecture]) -> Result<(), Problem> {
        let Some((path, _)) = self.file() else {
            return Ok(());
        };
        let shown = path.display();
        let found = architecture_of(path)
            .map_err(|error| Problem::usage(format!("cannot read {shown}: {error}")))?;
        // Objects for freplace are of none.
        let Some(is) = found else {
            return Ok(());
        };
        match architectures.iter().find(|wanted| **wanted != is) {
            None => Ok(()),
            Some(other) => Err(Problem::usage(format!(
                "{shown} is for {is}, and cannot be probed on {other}"
            ))
            .help(format!("--arch {is}, or a file for {other}"))),
        }
    }

    /// What the loader in the guest is told.
    pub fn in_guest(&self) -> (String, String) {
        let place = match self.file() {
            Some((path, rest)) => format!("/{}:{rest}", inside(path).display()),
            None => self.place.clone(),
        };
        (self.program.clone(), place)
    }

    /// Brings the file that it names, if it names one.
    pub fn add_file(&self, archive: &mut Archive) -> Result<()> {
        let Some((path, _)) = self.file() else {
            return Ok(());
        };
        let inside = inside(path);
        if archive.contains_path(&inside) {
            return Ok(());
        }
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        archive.add_file(inside, 0o755, &bytes)
    }
}

/// `None`: it is for no CPU that a guest can have.
fn architecture_of(path: &Path) -> io::Result<Option<Architecture>> {
    let mut start = Vec::new();
    let header = size_of::<FileHeader64<Endianness>>();
    File::open(path)?
        .take(header as u64)
        .read_to_end(&mut start)?;
    let machine = FileHeader64::<Endianness>::parse(start.as_slice())
        .and_then(|header| Ok(header.e_machine(header.endian()?)));
    Ok(machine.ok().and_then(Architecture::of_elf_machine))
}

/// Files of two directories may be called the same.
fn inside(path: &Path) -> PathBuf {
    let below = path.components().filter_map(|part| match part {
        std::path::Component::Normal(name) => Some(name),
        _ => None,
    });
    Path::new(DIRECTORY).join(below.collect::<PathBuf>())
}

impl FromStr for AttachTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((program, place)) if !program.is_empty() && !place.is_empty() => Ok(Self {
                program: program.to_owned(),
                place: place.to_owned(),
            }),
            _ => Err("it takes the name of a program, =, and where to attach it".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_this_machine_come_along() {
        let own = std::env::current_exe().unwrap();
        let target: AttachTarget = format!("probe={}:main", own.display()).parse().unwrap();
        let (program, place) = target.in_guest();
        assert_eq!(program, "probe");
        assert_eq!(place, format!("/targets{}:main", own.display()));
        let mut archive = Archive::default();
        target.add_file(&mut archive).unwrap();
        assert!(archive.contains_path(inside(&own)));
    }

    #[test]
    fn a_program_of_another_architecture_is_refused() {
        let own = std::env::current_exe().unwrap();
        let target: AttachTarget = format!("probe={}:main", own.display()).parse().unwrap();
        target.check_file(&[Architecture::HOST]).unwrap();
        let problem = target.check_file(&Architecture::ALL).unwrap_err();
        assert!(
            problem.to_string().contains("cannot be probed on"),
            "{problem}"
        );
        let text = tempfile::NamedTempFile::new().unwrap();
        let target: AttachTarget = format!("probe={}:main", text.path().display())
            .parse()
            .unwrap();
        target.check_file(&Architecture::ALL).unwrap();
    }

    #[test]
    fn functions_stay_as_they_are() {
        let target: AttachTarget = "watch=nf_conntrack:nf_conntrack_in".parse().unwrap();
        assert_eq!(target.in_guest().1, "nf_conntrack:nf_conntrack_in");
        assert!("watch".parse::<AttachTarget>().is_err() && "=x".parse::<AttachTarget>().is_err());
    }
}
