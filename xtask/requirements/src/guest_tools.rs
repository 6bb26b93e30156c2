//! Programs for the inside of the VM: busybox, and bpftool with the libraries it was built for, so
//! that both run on every kernel whatever this machine's C library is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::{Architecture, Version};
use problem::Problem;
use processes::child;

use crate::apt::{Package, Suite};
use crate::fault;
use crate::record::{self, State};
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::format_megabytes;

const SUITE: &str = "trixie";
const PROGRAMS: [&str; 2] = ["busybox-static", "bpftool"];
const LOADER: &str = "ld-linux-x86-64.so.2";

/// `$0` is a full path here: the shell was started by the kernel, from a search of PATH or a path.
const WRAPPER: &str = "#!/bin/sh
lib=\"${0%/*}/../lib/bpftool\"
exec \"$lib/ld-linux-x86-64.so.2\" --library-path \"$lib\" \"$lib/bpftool\" \"$@\"
";

/// busybox and bpftool for the inside of the VM.
pub struct GuestTools;

impl Requirement for GuestTools {
    fn name(&self) -> String {
        "VM tools".to_owned()
    }

    fn is_met(&self) -> bool {
        is_there()
    }

    fn is_whole(&self) -> bool {
        self.is_met() && is_whole()
    }

    fn bytes(&self) -> u64 {
        120_000_000
    }

    fn plan(&self) -> Option<String> {
        Some("busybox and bpftool from Debian trixie: fetch 5 MB, keep 6 MB".to_owned())
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        fetch_tools(site)
    }
}

/// A directory laid out like a root: `bin/busybox`, `bin/bpftool`, `lib/bpftool/`.
pub fn find_tools() -> Result<PathBuf> {
    match record::compare_sizes(&directory()) {
        State::Whole => Ok(directory().join("root")),
        State::Absent => Err(unusable("are not here yet").into()),
        State::Changed => Err(unusable("were changed or damaged after set-up").into()),
    }
}

fn unusable(why: &str) -> Problem {
    Problem::machine(format!("the tools for the VM {why}")).help("cargo xtask setup")
}

pub fn is_there() -> bool {
    record::compare_sizes(&directory()) == State::Whole
}

pub fn is_whole() -> bool {
    record::compare_checksums(&directory()) == State::Whole
}

/// "busybox-static 1:1.37.0-6, bpftool 7.5.0": what was taken.
pub fn read_tool_versions() -> Option<String> {
    fs::read_to_string(directory().join("versions")).ok()
}

fn directory() -> PathBuf {
    workspace::cache_directory().join("tools")
}

fn fetch_tools(site: &SetupSite) -> Result<()> {
    site::may_fill_cache(site)?;
    let suite = Suite::open(site, SUITE, Architecture::HOST)?;
    let packages = closure(&suite)?;
    let step = site.start_step("VM tools", "busybox and bpftool with its libraries");
    let unpacked = site.create_stage("unpacked")?;
    suite.unpack_packages(site, &packages, &unpacked, &step)?;
    let staged = site.create_stage("tools")?;
    arrange(&unpacked, &staged.join("root"))?;
    let named = packages
        .iter()
        .filter(|package| PROGRAMS.contains(&package.name.as_str()));
    let versions: Vec<String> = named
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    write(&staged.join("versions"), &versions.join(", "))?;
    record::write_record(&staged)?;
    site.move_into_place(&staged, &directory())?;
    step.report_done(&format!(
        "in place, {}",
        format_megabytes(record::count_bytes(&directory()))
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

fn arrange(unpacked: &Path, root: &Path) -> Result<()> {
    for directory in ["bin", "lib/bpftool"] {
        site::create_directory(&root.join(directory))?;
    }
    let busybox = first(unpacked, &["usr/bin/busybox", "bin/busybox"])?;
    copy(&busybox, &root.join("bin/busybox"))?;
    let bpftool = first(unpacked, &["usr/sbin/bpftool", "usr/bin/bpftool"])?;
    let library = root.join("lib/bpftool");
    copy(&bpftool, &library.join("bpftool"))?;
    let loader = first(
        unpacked,
        &[
            "usr/lib64/ld-linux-x86-64.so.2",
            "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            "lib64/ld-linux-x86-64.so.2",
        ],
    )?;
    copy(&loader, &library.join(LOADER))?;
    for (name, path) in needed(unpacked, &loader, &bpftool)? {
        copy(&path, &library.join(name))?;
    }
    let wrapper = root.join("bin/bpftool");
    write(&wrapper, WRAPPER)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .context("cannot make bpftool executable")?;
    child::ask_program(&wrapper, &["version"])
        .context("the bpftool that was fetched does not run")?;
    Ok(())
}

/// The libraries that the program's own loader would take, asked of that loader: (name, path).
fn needed(unpacked: &Path, loader: &Path, program: &Path) -> Result<Vec<(String, PathBuf)>> {
    let directories =
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|path| unpacked.join(path));
    let search =
        std::env::join_paths(directories).context("cannot name the library directories")?;
    let mut command = Command::new(loader);
    command
        .arg("--inhibit-cache")
        .arg("--library-path")
        .arg(search)
        .arg("--list")
        .arg(program);
    child::end_with_us(&mut command);
    let output = command
        .output()
        .map_err(|error| fault::not_started(LOADER, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(listed(&text)
        .into_iter()
        .filter(|(_, path)| path.starts_with(unpacked))
        .collect())
}

/// Lines like `libz.so.1 => /directory/libz.so.1 (0x00007f...)`.
fn listed(text: &str) -> Vec<(String, PathBuf)> {
    let entry = |line: &str| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let (path, _) = rest.rsplit_once(" (")?;
        Some((name.to_owned(), PathBuf::from(path)))
    };
    text.lines()
        .filter_map(entry)
        .filter(|(name, _)| !name.contains('/'))
        .collect()
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

    #[test]
    fn the_loaders_list_is_read() {
        let text = "\tlinux-vdso.so.1 (0x00007f)\n\tlibz.so.1 => /a b/libz.so.1 (0x00007f)\n\
            \t/lib64/ld.so => /x/ld.so (0x1)\n";
        assert_eq!(
            listed(text),
            [("libz.so.1".to_owned(), PathBuf::from("/a b/libz.so.1"))]
        );
    }
}
