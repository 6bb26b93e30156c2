//! Memory that the guest shares with the host: a PCI device (`ivshmem-plain`) whose second region
//! is plain memory, so that no driver is needed.

use std::ffi::c_void;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use anyhow::{Context, Result, ensure};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const DEVICES: &str = "/sys/bus/pci/devices";
const VENDOR: &str = "0x1af4";
const DEVICE: &str = "0x1110";

/// The device.
pub struct SharedDevice {
    path: PathBuf,
    file: File,
}

impl SharedDevice {
    /// `None` in a VM that has none.
    pub fn find() -> Result<Option<Self>> {
        let Some(directory) = find_directory()? else {
            return Ok(None);
        };
        // No driver does it, and of arm64's machine no firmware: Linux 5.10 would read ones.
        let enable = directory.join("enable");
        fs::write(&enable, "1").with_context(|| format!("cannot write {}", enable.display()))?;
        let path = directory.join("resource2");
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Some(Self { path, file }))
    }

    /// The memory from its start. Nothing is copied: emulated, a copy of the programs takes longer
    /// than their start.
    pub fn map_memory(&self, length: usize) -> Result<SharedMemory> {
        let Self { path, file } = self;
        let size = usize::try_from(file.metadata()?.len())?;
        ensure!(
            length <= size,
            "the programs take {length} bytes, the shared memory has {size}"
        );
        let mapped = NonZeroUsize::new(length).context("the programs take no bytes")?;
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let start = unsafe {
            mmap(
                None,
                mapped,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED,
                file,
                0,
            )
        }
        .with_context(|| format!("cannot map {}", path.display()))?;
        Ok(SharedMemory { start, length })
    }
}

/// A part of the memory, mapped.
pub struct SharedMemory {
    start: NonNull<c_void>,
    length: usize,
}

impl SharedMemory {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this long and lives as long as `self`. The host writes to it only
        // before it orders us to read.
        unsafe { std::slice::from_raw_parts(self.start.cast::<u8>().as_ptr(), self.length) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and `bytes` lent nothing that is still in use.
        if let Err(error) = unsafe { munmap(self.start, self.length) } {
            eprintln!("guest init: cannot unmap the shared memory: {error}");
        }
    }
}

fn find_directory() -> Result<Option<PathBuf>> {
    let entries = fs::read_dir(DEVICES).with_context(|| format!("cannot read {DEVICES}"))?;
    for entry in entries {
        let directory = entry?.path();
        if is(&directory, "vendor", VENDOR) && is(&directory, "device", DEVICE) {
            return Ok(Some(directory));
        }
    }
    Ok(None)
}

fn is(directory: &Path, name: &str, value: &str) -> bool {
    fs::read_to_string(directory.join(name)).is_ok_and(|text| text.trim() == value)
}
