//! Which kernels a command is for: `6.12`, `all`, or a file of the user's.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use kernel::{Kernel, MATRIX};
use problem::Problem;
use requirements::Need;
use requirements::kernels::{KERNELS, deviation_from_lock, find_kernel};

use crate::output::screen;

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// Every kernel of the matrix.
    All,
    /// A kernel of the matrix.
    One(&'static str),
    /// A bzImage or vmlinux of the user's.
    File(PathBuf),
}

impl Selection {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(name) = MATRIX.into_iter().find(|name| *name == text) {
            return Ok(Self::One(name));
        }
        let path = PathBuf::from(text);
        if text.contains('/') || path.is_file() {
            return Ok(Self::File(path));
        }
        Err(
            Problem::usage(format!("no kernel is called '{text}'")).help(format!(
                "--kernel takes {}, all, or the path of a bzImage or vmlinux",
                MATRIX.join(", ")
            )),
        )
    }

    /// What set-up must provide before [`Self::find_kernels`].
    pub fn kernel_needs(&self) -> Vec<Need> {
        let names = self.names();
        let kernels = KERNELS.iter();
        kernels
            .filter(|kernel| names.contains(&kernel.name))
            .map(|kernel| kernel as Need)
            .collect()
    }

    pub fn find_kernels(&self) -> Result<Vec<Kernel>> {
        match self {
            Self::File(path) => Ok(vec![Kernel::from_file(path)?]),
            _ => {
                let names = self.names();
                let kernels = names.iter().map(|name| find_kernel(name)).collect();
                for deviation in names.into_iter().filter_map(deviation_from_lock) {
                    if is_first(&SHOWN, &deviation) {
                        screen::show_note(&deviation);
                    }
                }
                kernels
            }
        }
    }

    /// The kernels of the matrix among them.
    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => MATRIX.to_vec(),
            Self::One(name) => vec![name],
            Self::File(_) => Vec::new(),
        }
    }
}

/// The deviations that were shown: a command may ask for its kernels several times.
static SHOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn is_first(shown: &Mutex<BTreeSet<String>>, note: &str) -> bool {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.insert(note.to_owned())
}

/// As it is typed after `--kernel`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::One(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_all_and_files_are_told_apart() {
        assert_eq!(Selection::parse("6.12").unwrap(), Selection::One("6.12"));
        assert_eq!(Selection::parse("all").unwrap(), Selection::All);
        assert_eq!(
            Selection::parse("./vmlinuz").unwrap(),
            Selection::File("./vmlinuz".into())
        );
    }

    #[test]
    fn a_deviation_is_shown_once() {
        let shown = Mutex::default();
        assert!(is_first(&shown, "kernel 6.12"));
        assert!(is_first(&shown, "kernel 6.18"));
        assert!(!is_first(&shown, "kernel 6.12"));
    }

    #[test]
    fn an_unknown_kernel_names_the_known_ones() {
        let problem = Selection::parse("6.13").unwrap_err();
        assert!(problem.help_lines()[0].contains("6.12, 6.18"));
    }
}
