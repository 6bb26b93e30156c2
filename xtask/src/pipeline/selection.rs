//! Which kernels a command is for: `6.12`, `all`, or a file of the user's.

use std::fmt;
use std::path::PathBuf;

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
                for name in self.names() {
                    if let Some(deviation) = deviation_from_lock(name) {
                        screen::show_note(&deviation);
                    }
                }
                self.names().iter().map(|name| find_kernel(name)).collect()
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
    fn an_unknown_kernel_names_the_known_ones() {
        let problem = Selection::parse("6.13").unwrap_err();
        assert!(problem.help_lines()[0].contains("6.12, 6.18"));
    }
}
