//! The names of each architecture's kernels.

use std::cell::OnceCell;

use anyhow::Result;
use kernel::Architecture;

use crate::names::Names;

/// Read when they are asked for, once.
#[derive(Default)]
pub struct AllNames {
    /// By the place of the architecture in [`Architecture::ALL`].
    read: [OnceCell<Names>; Architecture::ALL.len()],
}

impl AllNames {
    pub fn of(&self, architecture: Architecture) -> Result<&Names> {
        let cell = &self.read[architecture as usize];
        if let Some(names) = cell.get() {
            return Ok(names);
        }
        let names = Names::read(architecture)?;
        Ok(cell.get_or_init(|| names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_architecture() {
        let names = AllNames::default();
        for architecture in Architecture::ALL {
            assert_eq!(names.of(architecture).unwrap().architecture, architecture);
        }
    }
}
