//! Where a project can be, and what it can be called.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use checkout::workspace;
use problem::{Exit, Problem};
use tempfile::TempDir;

/// A directory for a project, which does not exist yet or is empty.
#[derive(Debug)]
pub struct ProjectPlace {
    /// Where the directory is, without links in the path.
    parent: PathBuf,
    pub name: String,
}

impl ProjectPlace {
    pub fn check_path(path: &Path) -> Result<Self, Problem> {
        let shown = path.display();
        let wrong = |why: String| Problem::usage(why).help(ELSEWHERE);
        match fs::read_dir(path).map(Iterator::count) {
            Ok(1..) => return Err(wrong(format!("{shown} exists and is not empty"))),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(wrong(format!("{shown} exists and is not a directory")));
            }
            // What cannot be read is met again below.
            _ => {}
        }
        // `some/..` and `.` have a name only once they are resolved.
        let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
        let whole = whole.map_err(|error| wrong(format!("cannot use {shown}: {error}")))?;
        let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Err(wrong(format!("{shown} names no directory")));
        };
        let parent = parent.canonicalize().map_err(|_| {
            let parent = parent.display();
            Problem::usage(format!("the directory {parent} does not exist"))
                .help(format!("mkdir -p {parent}    (then type it again)"))
        })?;
        let name = name.to_string_lossy().into_owned();
        check_name(&name)?;
        let root = workspace::workspace_root();
        let root = root.canonicalize().unwrap_or(root.to_owned());
        if parent.starts_with(root) {
            return Err(wrong(format!(
                "{shown} is in the checkout of the course: its build would be mixed with the \
                 course's"
            )));
        }
        Ok(Self { parent, name })
    }

    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// Writes the files somewhere near and puts them into place when all of them are there: either
    /// the whole project exists, or nothing of it.
    pub fn write_files(&self, files: &[(&str, String)]) -> Result<()> {
        let nearby = TempDir::with_prefix_in(".new-project-", &self.parent)
            .map_err(|error| self.not_writable(&error))?;
        // Not the temporary directory itself, which nobody else may enter.
        let project = nearby.path().join(&self.name);
        for (path, text) in files {
            let path = project.join(path);
            let parent = path.parent().context("a file is in a directory")?;
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| self.not_writable(&error))?;
        }
        // Takes the place of an empty directory, and of nothing else.
        fs::rename(&project, self.path()).map_err(|error| self.not_writable(&error))?;
        Ok(())
    }

    fn not_writable(&self, error: &std::io::Error) -> Problem {
        let exit = match error.kind() {
            // Somebody was quicker.
            ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => Exit::Usage,
            _ => Exit::MachineNotReady,
        };
        Problem::new(
            exit,
            format!("cannot write {}: {error}", self.path().display()),
        )
        .help(ELSEWHERE)
    }
}

const ELSEWHERE: &str = "name a directory that does not exist yet, outside of the checkout: \
                         cargo xtask new project ~/open-count";

/// Names that cargo refuses, and names of packages in the project. It refuses Rust's keywords too.
const TAKEN: [&str; 12] = [
    "alloc",
    "anyhow",
    "aya",
    "aya-build",
    "build",
    "core",
    "deps",
    "libbpf-cargo",
    "libbpf-rs",
    "proc-macro",
    "std",
    "test",
];

const KEYWORDS: [&str; 52] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

fn check_name(name: &str) -> Result<(), Problem> {
    let wrong = |why: &str| {
        Problem::usage(format!("'{name}' cannot be the name of a package: {why}"))
            .help("the last part of PATH becomes the name: cargo xtask new project ~/open-count")
    };
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if let Some(letter) = name.chars().find(|letter| !allowed(*letter)) {
        return Err(wrong(&format!(
            "it has {letter:?}; letters of a to z, digits, - and _ are allowed"
        )));
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(wrong("it must begin with a letter"));
    }
    if TAKEN.contains(&name.replace('_', "-").as_str()) {
        return Err(wrong("another package, or a directory of cargo's, has it"));
    }
    if KEYWORDS.contains(&name) {
        return Err(wrong("it is a keyword of Rust"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn refused(path: &Path) -> (String, Exit) {
        let problem = ProjectPlace::check_path(path).unwrap_err();
        assert!(!problem.help_lines().is_empty(), "{problem}");
        (problem.to_string(), problem.exit())
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let full = directory.path().join("full");
        fs::create_dir(&full).unwrap();
        fs::write(full.join("mine"), "").unwrap();
        let (why, exit) = refused(&full);
        assert!(why.ends_with("full exists and is not empty"), "{why}");
        assert_eq!(exit, Exit::Usage);
        let (why, exit) = refused(&full.join("mine"));
        assert!(why.ends_with("mine exists and is not a directory"), "{why}");
        assert_eq!(exit, Exit::Usage);
        let empty = directory.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert_eq!(ProjectPlace::check_path(&empty).unwrap().name, "empty");
    }

    #[test]
    fn the_checkout_is_refused_through_a_link_too() {
        let root = workspace::workspace_root();
        assert!(refused(&root.join("my-tool")).0.contains("checkout"));
        assert!(
            refused(&root.join("lessons/my-tool"))
                .0
                .contains("checkout")
        );
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink(root, &link).unwrap();
        assert!(refused(&link.join("my-tool")).0.contains("checkout"));
    }

    #[test]
    fn a_directory_that_does_not_exist_is_named() {
        let (why, exit) = refused(Path::new("/nothing/here/my-tool"));
        assert_eq!(why, "the directory /nothing/here does not exist");
        assert_eq!(exit, Exit::Usage);
    }

    #[test]
    fn names_that_cargo_refuses_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (name, why) in [
            ("2nd", "letter"),
            ("-x", "letter"),
            ("my tool", "' '"),
            ("größe", "'ö'"),
            ("fn", "keyword"),
            ("test", "another"),
            ("libbpf_rs", "another"),
        ] {
            let (problem, exit) = refused(&directory.path().join(name));
            assert!(problem.contains(why), "{problem}");
            assert_eq!(exit, Exit::Usage);
        }
        for name in ["my-tool", "my_tool2", "X"] {
            ProjectPlace::check_path(&directory.path().join(name)).unwrap();
        }
    }

    #[test]
    fn either_all_is_written_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let names = || -> Vec<_> {
            let entries = fs::read_dir(directory.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        let place = ProjectPlace::check_path(&directory.path().join("my-tool")).unwrap();
        // The second file cannot be written: the first is in the place of its directory.
        let files = [("a", String::new()), ("a/b", String::new())];
        let error = place.write_files(&files).unwrap_err();
        let problem: &Problem = error.downcast_ref().unwrap();
        assert!(problem.to_string().contains("my-tool"), "{problem}");
        assert_eq!(names(), [""; 0]);
        place.write_files(&files[..1]).unwrap();
        assert_eq!(names(), ["my-tool"]);
        // Others may read it, as whatever else this user makes.
        let mode = fs::metadata(place.path()).unwrap().permissions().mode();
        assert_ne!(mode & 0o077, 0, "{mode:o}");
        // Somebody was quicker.
        assert!(place.write_files(&files[..1]).is_err());
    }
}
