//! Files and directories of this machine that a guest gets: `--file PATH[:GUEST PATH]`.
//!
//! A symbolic link that leads to something in the same directory tree is kept. Any other is
//! followed: what it leads to would not be in the guest.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use kernel::Architecture;
use problem::Problem;
use testvm::image::{self, Archive};

use crate::commands::try_binary::binary;

/// The guest's own; nothing can be put there.
const OF_THE_KERNEL: [&str; 3] = ["dev", "proc", "sys"];

/// Other directories that every guest has; the first is their root.
const DIRECTORIES: [&str; 5] = ["", "root", "run", "tmp", "var"];

/// The first bytes of a file `CACHEDIR.TAG`, by which programs mark a directory that they can make
/// again, as cargo does with `target`.
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// What was named, and where it goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedFile {
    here: PathBuf,
    inside: PathBuf,
}

impl NamedFile {
    /// `PATH[:GUEST PATH]`. Relative paths, of both, begin at the directory `current`: the program
    /// starts in the directory of this name.
    pub fn parse_argument(text: &str, current: &Path) -> Result<Self, Problem> {
        let (here, inside) = match text.split(':').collect::<Vec<_>>()[..] {
            [here] => (here, here),
            [here, inside] => (here, inside),
            _ => ("", ""),
        };
        if here.is_empty() || inside.is_empty() {
            return Err(
                Problem::usage(format!("'{text}' is not PATH or PATH:GUEST PATH"))
                    .help("a file whose name has a colon comes along with its directory"),
            );
        }
        let path = current.join(here);
        if let Err(error) = fs::metadata(&path) {
            let mut problem = Problem::usage(format!("cannot bring {here}: {error}"));
            if current.join(text).exists() {
                problem =
                    problem.help("a file whose name has a colon comes along with its directory");
            }
            return Err(problem);
        }
        let mut place = normalize_path(&current.join(inside));
        // As with cp: into that directory.
        if inside.ends_with('/') && inside != here {
            place.extend(path.file_name());
        }
        Ok(Self {
            here: path,
            inside: place,
        })
    }
}

/// An absolute path in a guest without its first slash, and without `.` and `..`.
pub fn normalize_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    normal
}

/// Whether a program can be at this place in a guest, or start there.
pub fn is_free_place(inside: &Path) -> bool {
    !OF_THE_KERNEL.iter().any(|top| inside.starts_with(top))
}

/// What is at a place in the guest.
#[derive(Debug, Eq, PartialEq)]
enum Entry {
    Directory,
    Link(PathBuf),
    File { here: PathBuf, mode: u32, size: u64 },
}

/// All that comes along, by its place in the guest.
#[derive(Debug, Default)]
pub struct BroughtFiles {
    entries: BTreeMap<PathBuf, Entry>,
    /// Those files that were named themselves.
    named: Vec<PathBuf>,
    /// Neither files nor directories nor links: `a/socket`.
    left_out: Vec<PathBuf>,
}

impl BroughtFiles {
    pub fn collect_files(named: &[NamedFile]) -> Result<Self, Problem> {
        let mut files = Self::default();
        for NamedFile { here, inside } in named {
            let real = fs::canonicalize(here).map_err(|error| unreadable(here, &error))?;
            let metadata = fs::metadata(&real).map_err(|error| unreadable(here, &error))?;
            if !metadata.is_file() && !metadata.is_dir() {
                let shown = here.display();
                let why = format!("cannot bring {shown}: it is neither a file nor a directory");
                return Err(Problem::usage(why));
            }
            if metadata.is_file() {
                files.named.push(real.clone());
            }
            Walk {
                files: &mut files,
                tree: &real,
                above: Vec::new(),
            }
            .add(&real, &metadata, inside)?;
        }
        Ok(files)
    }

    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    /// Bytes of all files, and the largest.
    pub fn measure_size(&self) -> (u64, Option<&Path>) {
        let files = self.entries.values().filter_map(|entry| match entry {
            Entry::File { here, size, .. } => Some((*size, here.as_path())),
            Entry::Directory | Entry::Link(_) => None,
        });
        let largest = files.clone().max_by_key(|(size, _)| *size);
        (
            files.map(|(size, _)| size).sum(),
            largest.map(|(_, path)| path),
        )
    }

    /// Whether a place is taken by something else than a directory.
    pub fn takes_place(&self, inside: &Path) -> bool {
        self.entries
            .get(inside)
            .is_some_and(|entry| *entry != Entry::Directory)
    }

    /// Whether this very file comes to this place.
    pub fn brings_file(&self, real: &Path, inside: &Path) -> bool {
        matches!(self.entries.get(inside), Some(Entry::File { here, .. }) if here == real)
    }

    /// The libraries of those programs come along that guests of this architecture can run.
    pub fn put_into(&self, archive: &mut Archive, architecture: Architecture) -> Result<()> {
        for (inside, entry) in &self.entries {
            match entry {
                Entry::Directory => archive.add_directory(inside)?,
                Entry::Link(target) => archive.add_link(inside, target)?,
                Entry::File { here, mode, .. } => {
                    let bytes = fs::read(here).with_context(|| {
                        format!("cannot read {}, which is to come along", here.display())
                    })?;
                    archive.add_file(inside, *mode, &bytes)?;
                }
            }
        }
        for file in &self.named {
            let bytes = fs::read(file).map_err(|error| unreadable(file, &error))?;
            if binary::is_binary(&bytes, architecture) {
                image::add_libraries(archive, file)
                    .map_err(|error| lacks_library(file, architecture, &error))?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, inside: &Path, entry: Entry) -> Result<(), Problem> {
        check_place(inside, entry == Entry::Directory)?;
        let mut around = inside.ancestors().skip(1);
        if let Some(file) = around.find(|above| self.takes_place(above)) {
            return Err(two_at(file));
        }
        match self.entries.get(inside) {
            Some(before) if *before != entry => Err(two_at(inside)),
            _ => {
                self.entries.insert(inside.to_owned(), entry);
                Ok(())
            }
        }
    }
}

/// Whether a guest could have a directory, or something else, at this place.
fn check_place(inside: &Path, is_directory: bool) -> Result<(), Problem> {
    let shown = format!("/{}", inside.display());
    if inside.to_str().is_none() {
        return Err(Problem::usage(format!("the name {shown} is not UTF-8")));
    }
    let is_top = inside.components().count() <= 1;
    if is_top && is_directory {
        return Ok(());
    }
    if !is_free_place(inside) {
        return Err(Problem::usage(format!(
            "nothing can be put at {shown}: in a guest it is the kernel's"
        )));
    }
    if is_top && DIRECTORIES.iter().any(|name| Path::new(name) == inside) {
        let directory = shown.trim_end_matches('/');
        return Err(Problem::usage(format!(
            "nothing can be put at {shown}: every guest has a directory there"
        ))
        .help(format!(
            "--file PATH:{directory}/ puts it into that directory"
        )));
    }
    Ok(())
}

fn two_at(inside: &Path) -> Problem {
    Problem::usage(format!(
        "two different things are to come to /{} in the guest",
        inside.display()
    ))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::usage(format!("cannot bring {}: {error}", path.display()))
}

/// One walk through what was named.
struct Walk<'a> {
    files: &'a mut BroughtFiles,
    /// Links that stay in here are kept.
    tree: &'a Path,
    /// The directories around the one that is read.
    above: Vec<PathBuf>,
}

impl Walk<'_> {
    /// `real` has no links in it.
    fn add(&mut self, real: &Path, metadata: &Metadata, inside: &Path) -> Result<(), Problem> {
        if metadata.is_file() {
            let (mode, size) = (metadata.permissions().mode() & 0o777, metadata.len());
            let here = real.to_owned();
            return self.files.insert(inside, Entry::File { here, mode, size });
        }
        if !metadata.is_dir() {
            self.files.left_out.push(real.to_owned());
            return Ok(());
        }
        self.files.insert(inside, Entry::Directory)?;
        self.above.push(real.to_owned());
        let entries = fs::read_dir(real).map_err(|error| unreadable(real, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| unreadable(real, &error))?.path();
            let name = path.file_name().unwrap_or_default();
            self.add_entry(&path, &inside.join(name))?;
        }
        self.above.pop();
        Ok(())
    }

    fn add_entry(&mut self, path: &Path, inside: &Path) -> Result<(), Problem> {
        let metadata = fs::symlink_metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_symlink() {
            return self.add_link(path, inside);
        }
        if metadata.is_dir() && is_left_out(path) {
            return Ok(());
        }
        self.add(path, &metadata, inside)
    }

    fn add_link(&mut self, path: &Path, inside: &Path) -> Result<(), Problem> {
        let target = fs::read_link(path).map_err(|error| unreadable(path, &error))?;
        let Ok(real) = fs::canonicalize(path) else {
            // It leads nowhere, here as there.
            return self.files.insert(inside, Entry::Link(target));
        };
        if target.is_relative() && real.starts_with(self.tree) {
            return self.files.insert(inside, Entry::Link(target));
        }
        if self.above.contains(&real) {
            return Err(Problem::usage(format!(
                "cannot bring {}: it leads back to {}, which it is in",
                path.display(),
                real.display()
            )));
        }
        let metadata = fs::metadata(&real).map_err(|error| unreadable(path, &error))?;
        self.add(&real, &metadata, inside)
    }
}

/// The history of a repository, and what a program can make again.
fn is_left_out(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name == ".git") || is_cache(directory)
}

fn is_cache(directory: &Path) -> bool {
    let mut found = [0; CACHE_SIGNATURE.len()];
    fs::File::open(directory.join("CACHEDIR.TAG"))
        .and_then(|mut file| file.read_exact(&mut found))
        .is_ok_and(|()| found == CACHE_SIGNATURE)
}

/// Adds a program with its libraries at its place, unless the user's files bring it there.
pub fn add_program(
    archive: &mut Archive,
    files: &BroughtFiles,
    architecture: Architecture,
    program: &Path,
    inside: &Path,
) -> Result<()> {
    let real = fs::canonicalize(program)
        .with_context(|| format!("cannot look at {}", program.display()))?;
    if files.takes_place(inside) && !files.brings_file(&real, inside) {
        return Err(two_at(inside).into());
    }
    let added = if archive.contains_path(inside) {
        image::add_libraries(archive, program)
    } else {
        image::add_program_as(archive, program, inside)
    };
    added.map_err(|error| lacks_library(program, architecture, &error).into())
}

fn lacks_library(program: &Path, architecture: Architecture, error: &anyhow::Error) -> Problem {
    let problem = Problem::usage(format!("{error:#}"));
    if architecture == Architecture::HOST {
        return problem
            .help(format!("ldd {} lists its libraries", program.display()))
            .help("LD_LIBRARY_PATH names directories where more of them are looked for");
    }
    let places = shared_libraries::foreign_directories(architecture);
    let places: Vec<_> = places.iter().map(|it| it.display().to_string()).collect();
    problem
        .help(format!("they are looked for in {}", places.join(", ")))
        .help("a program that is linked statically needs none")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    /// A directory with `a/file`, `a/deep/file`, and whatever else a test puts there.
    fn make_tree() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir_all(root.join("a/deep")).unwrap();
        fs::write(root.join("a/file"), "1").unwrap();
        fs::write(root.join("a/deep/file"), "22").unwrap();
        (directory, root)
    }

    fn collect(root: &Path, named: &[&str]) -> Result<BroughtFiles, Problem> {
        let named = named
            .iter()
            .map(|text| NamedFile::parse_argument(text, root));
        BroughtFiles::collect_files(&named.collect::<Result<Vec<_>, _>>()?)
    }

    /// What comes along, each place below that of `root`.
    fn told(files: &BroughtFiles, root: &Path) -> Vec<String> {
        let below = normalize_path(root);
        let tell = |(inside, entry): (&PathBuf, &Entry)| {
            let place = inside.strip_prefix(&below).unwrap_or(inside).display();
            match entry {
                Entry::Directory => format!("{place}/"),
                Entry::Link(target) => format!("{place} -> {}", target.display()),
                Entry::File { size, mode, .. } => format!("{place} {mode:o} {size}"),
            }
        };
        files.entries.iter().map(tell).collect()
    }

    fn problem(root: &Path, named: &[&str]) -> String {
        let problem = collect(root, named).unwrap_err();
        let all = [vec![problem.to_string()], problem.help_lines().to_vec()].concat();
        all.join("; ").replace(root.to_str().unwrap(), "ROOT")
    }

    #[test]
    fn a_directory_comes_to_the_place_that_it_has_here_or_to_another() {
        let (_directory, root) = make_tree();
        fs::set_permissions(root.join("a/file"), fs::Permissions::from_mode(0o751)).unwrap();
        fs::set_permissions(root.join("a/deep/file"), fs::Permissions::from_mode(0o600)).unwrap();
        let same = ["a/", "a/deep/", "a/deep/file 600 2", "a/file 751 1"];
        assert_eq!(told(&collect(&root, &["a"]).unwrap(), &root), same);
        assert_eq!(told(&collect(&root, &["./a/../a/"]).unwrap(), &root), same);
        let absolute = root.join("a");
        let files = collect(&root, &[absolute.to_str().unwrap()]).unwrap();
        assert_eq!(told(&files, &root), same);
        let files = collect(&root, &["a/deep:/data", "a/file:b", "a/file:c/"]).unwrap();
        assert_eq!(
            told(&files, &root),
            ["data/", "data/file 600 2", "b 751 1", "c/file 751 1"]
        );
        assert_eq!(files.measure_size().0, 4);
    }

    #[test]
    fn links_within_are_kept_and_others_followed() {
        let (_directory, root) = make_tree();
        fs::create_dir(root.join("outside")).unwrap();
        fs::write(root.join("outside/other"), "333").unwrap();
        for (name, target) in [
            ("within", "deep/file"),
            ("nowhere", "missing"),
            ("out", "../outside"),
        ] {
            symlink(target, root.join("a").join(name)).unwrap();
        }
        symlink(root.join("outside/other"), root.join("a/absolute")).unwrap();
        symlink("a", root.join("named")).unwrap();
        let files = collect(&root, &["named"]).unwrap();
        let expected = [
            "named/",
            "named/absolute 644 3",
            "named/deep/",
            "named/deep/file 644 2",
            "named/file 644 1",
            "named/nowhere -> missing",
            "named/out/",
            "named/out/other 644 3",
            "named/within -> deep/file",
        ];
        assert_eq!(told(&files, &root), expected);
    }

    #[test]
    fn links_that_never_end_are_an_error() {
        let (_directory, root) = make_tree();
        symlink(&root, root.join("a/deep/up")).unwrap();
        symlink("../a", root.join("a/deep/again")).unwrap();
        let told = problem(&root, &["a"]);
        assert!(told.contains("leads back to ROOT"), "{told}");
    }

    #[test]
    fn caches_and_histories_stay_here_unless_they_are_named() {
        let (_directory, root) = make_tree();
        for name in ["target", ".git"] {
            fs::create_dir(root.join("a").join(name)).unwrap();
            fs::write(root.join("a").join(name).join("x"), "").unwrap();
        }
        fs::write(root.join("a/target/CACHEDIR.TAG"), CACHE_SIGNATURE).unwrap();
        let files = collect(&root, &["a"]).unwrap();
        assert_eq!(files.entries.len(), 4, "{files:?}");
        let files = collect(&root, &["a/target"]).unwrap();
        assert_eq!(files.entries.len(), 3, "{files:?}");
    }

    #[test]
    fn a_socket_is_left_out_and_told() {
        let (_directory, root) = make_tree();
        let _socket = UnixListener::bind(root.join("a/socket")).unwrap();
        let files = collect(&root, &["a"]).unwrap();
        assert_eq!(files.left_out(), [root.join("a/socket")]);
        assert_eq!(
            problem(&root, &["a/socket"]),
            "cannot bring ROOT/a/socket: it is neither a file nor a directory"
        );
    }

    #[test]
    fn what_cannot_be_brought_is_told() {
        let (_directory, root) = make_tree();
        fs::write(root.join("with:colon"), "").unwrap();
        let told = [
            problem(&root, &["missing"]),
            problem(&root, &["with:colon"]),
            problem(&root, &["a:b:c"]),
            problem(&root, &["a:"]),
            problem(&root, &["a/file:/proc/sys/x"]),
            problem(&root, &["a:/dev"]),
            problem(&root, &["a/file:/tmp"]),
            problem(&root, &["a/file:/x", "a/deep/file:/x"]),
            problem(&root, &["a/file:/x", "a/deep:/x"]),
            problem(&root, &["a/file:/x", "a/deep:/x/y"]),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }
}
