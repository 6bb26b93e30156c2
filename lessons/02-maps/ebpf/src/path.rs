//! Where a name is: the kernel's `struct dentry` is one name in a directory, and points to the
//! dentry of that directory.

use aya_ebpf::{
    Global,
    helpers::{bpf_probe_read_kernel, generated::bpf_probe_read_kernel_str},
};

use crate::count::add_one;
use crate::event::{LEVELS, NAME_SIZE};
use crate::state::{COUNTERS, WATCHED};

// ANCHOR: offsets
// rustc writes no relocations. So user space looks these offsets up in the BTF of the running
// kernel, and sets them before it loads the program. The program in C has CO-RE instead.
#[unsafe(no_mangle)]
static DENTRY_D_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_D_NAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_D_INODE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_D_SB: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static INODE_I_INO: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SUPER_BLOCK_S_DEV: Global<u32> = Global::new(0);

/// Reads the field that is `offset` bytes after `base`.
fn read_field<T>(base: *const u8, offset: &Global<u32>) -> Option<T> {
    // SAFETY: the helper checks the address and fails when it cannot be read.
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset.load() as usize).cast()).ok() }
}
// ANCHOR_END: offsets

/// The device of the file system that the name is on.
pub fn read_device(dentry: *const u8) -> Option<u32> {
    let super_block = read_field(dentry, &DENTRY_D_SB)?;
    read_field(super_block, &SUPER_BLOCK_S_DEV)
}

// ANCHOR: walk
/// Collects the names from `dentry` up to the watched directory, and returns how many bytes they
/// take; `None` if the name is not in that directory.
pub fn collect_names(mut dentry: *const u8, names: &mut [u8]) -> Option<usize> {
    let mut used = 0;
    for _ in 0..LEVELS {
        used += copy_name(dentry, names.get_mut(used..used + NAME_SIZE)?)?;
        let parent = read_field(dentry, &DENTRY_D_PARENT)?;
        // The root of a file system is its own parent.
        if parent == dentry {
            return None;
        }
        let inode = read_field(parent, &DENTRY_D_INODE)?;
        if read_field::<u64>(inode, &INODE_I_INO)? == WATCHED.load().inode {
            return Some(used);
        }
        dentry = parent;
    }
    // SAFETY: `add_one` needs the address only.
    add_one(unsafe { &raw mut COUNTERS.too_deep });
    None
}
// ANCHOR_END: walk

/// Copies a name with its zero byte, and returns how many bytes that is.
fn copy_name(dentry: *const u8, space: &mut [u8]) -> Option<usize> {
    let name: *const u8 = read_field(dentry, &DENTRY_D_NAME)?;
    let (to, size) = (space.as_mut_ptr().cast(), space.len() as u32);
    // SAFETY: the helper checks the address; the verifier checks the space.
    let length = unsafe { bpf_probe_read_kernel_str(to, size, name.cast()) };
    usize::try_from(length).ok()
}
