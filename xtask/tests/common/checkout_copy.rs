//! A copy of the checkout, in which a test may write what a learner writes. However the test ends,
//! the reader's own checkout stays as it is.
//!
//! The copy stays in the target directory: the next test finds what this one built in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use checkout::workspace;

use super::{Run, program, scratch};

/// What is not copied, wherever it is in the checkout.
const LEFT_OUT: [&str; 6] = [
    "target",
    ".cache",
    ".git",
    ".progress",
    ".kept",
    "node_modules",
];

/// With others of these, nothing that was built is of use.
const BUILD_INPUTS: [&str; 3] = ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml"];

pub struct CheckoutCopy {
    root: PathBuf,
    // Two test runs at once use it one after the other.
    _lock: File,
}

impl CheckoutCopy {
    /// With the sources as they are in the checkout now.
    pub fn open() -> Self {
        let lock = File::create(scratch().join("checkout.lock")).unwrap();
        lock.lock().unwrap();
        let root = scratch().join("checkout");
        let original = workspace::workspace_root();
        let is_same = |file| read(&root.join(file)) == read(&original.join(file));
        if !BUILD_INPUTS.into_iter().all(is_same) {
            remove_all(&root);
            copy_built(&original.join("target"), &root.join("target"));
        }
        copy_sources(original, &root);
        keep_linker_path(original, &root);
        remove_all(&root.join(".kept"));
        replace(&root.join("target/debug/xtask"), |to| {
            fs::hard_link(program(), to).or_else(|_| fs::copy(program(), to).map(|_| ()))
        });
        Self { root, _lock: lock }
    }

    /// The copy of a file of the checkout.
    pub fn path(&self, original: &Path) -> PathBuf {
        self.root
            .join(original.strip_prefix(workspace::workspace_root()).unwrap())
    }

    /// What is in its topmost directory, sorted.
    pub fn file_names(&self) -> Vec<OsString> {
        let entries = fs::read_dir(&self.root).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    /// A command that is typed in the copy.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let mut run = Run::of(&self.root.join("target/debug/xtask"), arguments);
        run.command
            .current_dir(&self.root)
            .env("CARGO_MANIFEST_DIR", self.root.join("xtask"))
            // Kernels and tools need no copy: they are only read.
            .env("XTASK_CACHE", workspace::cache_directory());
        run
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

fn remove_all(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

/// Makes a file, in place of the one that is there.
fn replace(path: &Path, make: impl Fn(&Path) -> io::Result<()>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
        _ => make(path).unwrap(),
    }
}

/// What is the same keeps its time, so that cargo does not build it again. What differs gets the
/// present time: it may be older than what the last test built.
fn copy_sources(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let names = |directory: &Path| -> Vec<_> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let is_source = |name: &OsString| !LEFT_OUT.iter().any(|other| name == other);
    let (mut sources, mut gone) = (names(from), names(to));
    sources.retain(is_source);
    gone.retain(|name| is_source(name) && !sources.contains(name));
    for name in gone {
        let path = to.join(name);
        if path.is_dir() {
            remove_all(&path);
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    for name in sources {
        let (source, copy) = (from.join(&name), to.join(&name));
        if source.is_dir() {
            copy_sources(&source, &copy);
        } else if !copy.exists() {
            copy_with_time(&source, &copy).unwrap();
        } else if fs::read(&source).unwrap() != fs::read(&copy).unwrap() {
            fs::copy(&source, &copy).unwrap();
        }
    }
}

fn copy_with_time(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    let modified = fs::metadata(from)?.modified()?;
    File::options()
        .append(true)
        .open(to)?
        .set_modified(modified)
}

/// Cargo compiles `core` again where the path of the linker differs: the copy names the original's.
fn keep_linker_path(original: &Path, root: &Path) {
    let path = ".cache/bin/bpf-linker";
    let config = root.join(".cargo/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let [own, original] = [Path::new(path), &original.join(path)].map(|path| format!("{path:?}"));
    assert!(text.contains(&own), "{text}");
    fs::write(config, text.replace(&own, &original)).unwrap();
}

/// What was built for the programs of the tool and the lessons, so that the copy need not build all
/// of it again.
fn copy_built(from: &Path, to: &Path) {
    for part in [
        "debug/.fingerprint",
        "debug/build",
        "debug/deps",
        "ebpf",
        "guest",
    ] {
        copy_built_below(&from.join(part), &to.join(part));
    }
}

/// rustc never writes into a library that is there, it replaces it: a link is enough. Other files
/// may be written into, and need a copy. Programs are large, and linked again quickly. Another
/// cargo may be at work there: what it removes meanwhile is left out.
pub fn copy_built_below(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    fs::create_dir_all(to).unwrap();
    for entry in entries {
        let source = entry.unwrap().path();
        let copy = to.join(source.file_name().unwrap());
        let ending = source.extension().unwrap_or_default();
        let copied = if source.is_dir() {
            copy_built_below(&source, &copy);
            Ok(())
        } else if ["rlib", "rmeta", "so"].iter().any(|it| ending == *it) {
            fs::hard_link(&source, &copy)
        } else if ending.is_empty() && from.ends_with("debug/deps") {
            Ok(())
        } else {
            copy_with_time(&source, &copy)
        };
        match copied {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Without the time of the original, cargo would take it for new.
                let _ = fs::remove_file(&copy);
            }
            Err(error) => panic!("cannot copy {}: {error}", source.display()),
        }
    }
}
