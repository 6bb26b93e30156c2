//! Programs for the inside of the VM: busybox, and bpftool with the libraries it was built for, so
//! that both run on every kernel whatever this machine's C library is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::{Architecture, Version};
use problem::Problem;
use processes::child;
use shared_libraries::SharedLibrary;

use crate::apt::{Package, Suite};
use crate::fault;
use crate::record::{self, State};
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::format_megabytes;

const SUITE: &str = "trixie";
const PROGRAMS: [&str; 2] = ["busybox-static", "bpftool"];

/// `$0` is a full path here: the shell was started by the kernel, from a search of PATH or a path.
const WRAPPER: &str = "#!/bin/sh
lib=\"${0%/*}/../lib/bpftool\"
exec \"$lib/LOADER\" --library-path \"$lib\" \"$lib/bpftool\" \"$@\"
";

/// busybox and bpftool for the inside of VMs of this architecture.
pub struct GuestTools {
    pub architecture: Architecture,
}

impl GuestTools {
    /// For VMs of this machine's architecture.
    pub const HOST: Self = Self {
        architecture: Architecture::HOST,
    };

    /// A directory laid out like a root: `bin/busybox`, `bin/bpftool`, `lib/bpftool/`.
    pub fn find_root(&self) -> Result<PathBuf> {
        match record::compare_sizes(&self.directory()) {
            State::Whole => Ok(self.directory().join("root")),
            State::Absent => Err(self.unusable("are not here yet").into()),
            State::Changed => Err(self.unusable("were changed or damaged after set-up").into()),
        }
    }

    fn unusable(&self, why: &str) -> Problem {
        let name = self.architecture.label("VM");
        let setup = format!("cargo xtask setup{}", self.architecture.option());
        Problem::machine(format!("the tools for the {name} {why}")).help(setup)
    }

    /// "busybox-static 1:1.37.0-6, bpftool 7.5.0": what was taken.
    pub fn read_versions(&self) -> Option<String> {
        fs::read_to_string(self.directory().join("versions")).ok()
    }

    fn directory(&self) -> PathBuf {
        let name = format!("tools{}", self.architecture.cache_suffix());
        workspace::cache_directory().join(name)
    }
}

impl Requirement for GuestTools {
    fn name(&self) -> String {
        self.architecture.label("VM tools")
    }

    fn is_met(&self) -> bool {
        record::compare_sizes(&self.directory()) == State::Whole
    }

    fn is_whole(&self) -> bool {
        record::compare_checksums(&self.directory()) == State::Whole
    }

    fn bytes(&self) -> u64 {
        120_000_000
    }

    fn plan(&self) -> Option<String> {
        Some("busybox and bpftool from Debian trixie: fetch 5 MB, keep 6 MB".to_owned())
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        fetch_tools(site, self)
    }
}

fn fetch_tools(site: &SetupSite, tools: &GuestTools) -> Result<()> {
    site::may_fill_cache(site)?;
    let suite = Suite::open(site, SUITE, tools.architecture)?;
    let packages = closure(&suite)?;
    let step = site.start_step(&tools.name(), "busybox and bpftool with its libraries");
    let unpacked = site.create_stage("unpacked")?;
    suite.unpack_packages(site, &packages, &unpacked, &step)?;
    let staged = site.create_stage("tools")?;
    arrange(tools.architecture, &unpacked, &staged.join("root"))?;
    let named = packages
        .iter()
        .filter(|package| PROGRAMS.contains(&package.name.as_str()));
    let versions: Vec<String> = named
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    write(&staged.join("versions"), &versions.join(", "))?;
    record::write_record(&staged)?;
    site.move_into_place(&staged, &tools.directory())?;
    step.report_done(&format!(
        "in place, {}",
        format_megabytes(record::count_bytes(&tools.directory()))
    ));
    Ok(())
}

/// The programs' packages and those of the libraries they depend on, all of one suite.
fn closure(suite: &Suite) -> Result<Vec<Package>> {
    let mut wanted: Vec<String> = PROGRAMS.map(str::to_owned).to_vec();
    let mut found: Vec<Package> = Vec::new();
    while !wanted.is_empty() {
        let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
        for package in suite.show_packages(&names)? {
            match found.iter_mut().find(|known| known.name == package.name) {
                Some(known)
                    if Version::parse(&known.version) < Version::parse(&package.version) =>
                {
                    *known = package
                }
                Some(_) => {}
                None => found.push(package),
            }
        }
        let known = |name: &str| found.iter().any(|package| package.name == name);
        let next: Vec<String> = found
            .iter()
            .flat_map(|package| libraries(&package.depends))
            .filter(|name| !known(name))
            .collect();
        // A name that the list does not have (a virtual package) would be asked for again and
        // again.
        if next == wanted {
            break;
        }
        wanted = next;
    }
    Ok(found)
}

/// The libraries among the packages of a `Depends` line, first choices only.
fn libraries(depends: &str) -> Vec<String> {
    let first = |part: &str| {
        part.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let is_library = |name: &String| name.starts_with("lib") || name.starts_with("zlib");
    depends.split(',').map(first).filter(is_library).collect()
}

fn arrange(architecture: Architecture, unpacked: &Path, root: &Path) -> Result<()> {
    for directory in ["bin", "lib/bpftool"] {
        site::create_directory(&root.join(directory))?;
    }
    let busybox = first(unpacked, &["usr/bin/busybox", "bin/busybox"])?;
    copy(&busybox, &root.join("bin/busybox"))?;
    let bpftool = first(unpacked, &["usr/sbin/bpftool", "usr/bin/bpftool"])?;
    let library = root.join("lib/bpftool");
    copy(&bpftool, &library.join("bpftool"))?;
    let directories = library_directories(architecture).map(|path| unpacked.join(path));
    let bytes = fs::read(&bpftool)
        .map_err(|error| fault::io_problem(format!("read {}", bpftool.display()), &error))?;
    let needed =
        shared_libraries::find_without_loader(architecture, &bpftool, &bytes, &directories)?;
    for SharedLibrary { here, inside } in &needed {
        copy(here, &library.join(inside.file_name().unwrap_or_default()))?;
    }
    let loader = Path::new(architecture.loader()).file_name();
    let loader = loader.unwrap_or_default().to_string_lossy();
    let wrapper = root.join("bin/bpftool");
    write(&wrapper, &WRAPPER.replace("LOADER", &loader))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .context("cannot make bpftool executable")?;
    if architecture == Architecture::HOST {
        child::ask_program(&wrapper, &["version"])
            .context("the bpftool that was fetched does not run")?;
    }
    Ok(())
}

/// Where packages have libraries. The loader may be where programs look for it only.
fn library_directories(architecture: Architecture) -> [String; 4] {
    let triplet = architecture.gnu_triplet();
    let of_loader = Path::new(architecture.loader()).parent();
    let of_loader = of_loader.unwrap_or(Path::new("/")).display();
    [
        format!("usr/lib/{triplet}"),
        format!("lib/{triplet}"),
        format!("usr{of_loader}"),
        of_loader.to_string().trim_start_matches('/').to_owned(),
    ]
}

fn first(root: &Path, choices: &[&str]) -> Result<PathBuf> {
    let found = choices
        .iter()
        .map(|path| root.join(path))
        .find(|path| path.is_file());
    found.with_context(|| format!("the packages of Debian {SUITE} have no {}", choices[0]))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map_err(|error| fault::io_problem(format!("write {}", to.display()), &error))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)
        .map_err(|error| fault::io_problem(format!("write {}", path.display()), &error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_picked_from_depends() {
        let depends =
            "libc6 (>= 2.38), libelf1t64 (>= 0.144) | libelf1, zlib1g (>= 1:1.2), debconf, ";
        assert_eq!(libraries(depends), ["libc6", "libelf1t64", "zlib1g"]);
    }
}
