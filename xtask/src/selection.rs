//! Which kernels a command is for: `6.12`, `all`, or a file of the user's.

use std::path::PathBuf;

use anyhow::Result;

use crate::kernel::{Kernel, MATRIX};
use crate::problem::Problem;
use crate::setup::{self, Need};

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// Kernels of the matrix.
    Matrix(Vec<&'static str>),
    File(PathBuf),
}

impl Selection {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text == "all" {
            return Ok(Self::Matrix(MATRIX.to_vec()));
        }
        if let Some(name) = MATRIX.into_iter().find(|name| *name == text) {
            return Ok(Self::Matrix(vec![name]));
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

    /// What set-up must provide before [`Self::kernels`].
    pub fn needs(&self) -> Vec<Need> {
        match self {
            Self::Matrix(names) => names
                .iter()
                .map(|name| Need::Kernel((*name).into()))
                .collect(),
            Self::File(_) => Vec::new(),
        }
    }

    pub fn kernels(&self) -> Result<Vec<Kernel>> {
        match self {
            Self::Matrix(names) => names.iter().map(|name| setup::kernels::get(name)).collect(),
            Self::File(path) => Ok(vec![Kernel::from_file(path)?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_all_and_files_are_told_apart() {
        assert_eq!(
            Selection::parse("6.12").unwrap(),
            Selection::Matrix(vec!["6.12"])
        );
        assert_eq!(
            Selection::parse("all").unwrap(),
            Selection::Matrix(MATRIX.to_vec())
        );
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
