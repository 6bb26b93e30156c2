//! The memory of a guest that is going to be saved: a file that nobody else sees.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::machine::Machine;
use crate::pages::visit_pages;

pub struct GuestMemory {
    file: File,
    length: u64,
}

impl GuestMemory {
    pub fn create(machine: &Machine) -> Result<Self> {
        let descriptor = memfd_create("guest", MFdFlags::MFD_CLOEXEC)
            .context("cannot create a file in memory")?;
        Ok(Self {
            file: File::from(descriptor),
            length: machine.memory_bytes(),
        })
    }

    /// Makes it as new, for another boot.
    pub fn clear_pages(&self) -> Result<()> {
        let cleared = self.file.set_len(0);
        cleared
            .and_then(|()| self.file.set_len(self.length))
            .context("cannot size the guest's memory")
    }

    pub fn backing_file(&self) -> &File {
        &self.file
    }

    /// Copies it to the beginning of `file`, where pages without content become holes.
    pub fn copy_pages(&self, file: &File) -> Result<()> {
        visit_pages(&self.file, self.length, |at, page| {
            file.write_all_at(page, at)
        })
        .context("cannot save the guest's memory")
    }
}
