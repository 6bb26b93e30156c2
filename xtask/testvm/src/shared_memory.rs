//! Memory that the guest sees as a PCI device: programs get in at the speed of a copy.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Memory of this process, shared with one VM.
pub struct SharedMemory {
    file: File,
}

impl SharedMemory {
    /// Enough for all lessons and the tools of a shell. Only what is written takes room.
    pub const SIZE: usize = 128 << 20;

    pub fn create() -> Result<Self> {
        let descriptor = memfd_create("programs", MFdFlags::MFD_CLOEXEC)
            .context("cannot create a file in memory")?;
        let file = File::from(descriptor);
        file.set_len(Self::SIZE as u64)
            .context("cannot size the shared memory")?;
        Ok(Self { file })
    }

    pub fn has_room_for(bytes: &[u8]) -> bool {
        bytes.len() <= Self::SIZE
    }

    pub fn write_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(bytes, 0)
            .context("cannot write to the shared memory")
    }
}

impl AsRawFd for SharedMemory {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
