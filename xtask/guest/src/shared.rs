//! Memory that the guest shares with the host: a PCI device (`ivshmem-plain`) whose second region is plain memory, so
//! that no driver is needed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::ptr;

use anyhow::{Context, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const DEVICES: &str = "/sys/bus/pci/devices";
const VENDOR: &str = "0x1af4";
const DEVICE: &str = "0x1110";

/// A copy of the first `length` bytes.
pub fn read(length: usize) -> Result<Vec<u8>> {
    let path = find()?.context("this VM has no shared memory")?.join("resource2");
    let file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let size = usize::try_from(file.metadata()?.len())?;
    ensure!(length <= size, "the programs take {length} bytes, the shared memory has {size}");
    // SAFETY: a new mapping of a device's memory, which nothing else in this process uses. The host writes it only
    // before it orders us to read.
    let copy = unsafe {
        let start = mmap(ptr::null_mut(), size, ProtFlags::READ, MapFlags::SHARED, &file, 0)
            .with_context(|| format!("cannot map {}", path.display()))?;
        let copy = std::slice::from_raw_parts(start.cast::<u8>(), length).to_vec();
        munmap(start, size)?;
        copy
    };
    Ok(copy)
}

fn find() -> Result<Option<PathBuf>> {
    let entries = fs::read_dir(DEVICES).with_context(|| format!("cannot read {DEVICES}"))?;
    for entry in entries {
        let folder = entry?.path();
        if is(&folder, "vendor", VENDOR) && is(&folder, "device", DEVICE) {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

fn is(folder: &Path, name: &str, value: &str) -> bool {
    fs::read_to_string(folder.join(name)).is_ok_and(|text| text.trim() == value)
}
