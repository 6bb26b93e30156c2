//! A name in the kernel's tree of names: `struct dentry`.
//!
//! Rust programs carry no relocations. User space looks up where the fields lie in the running
//! kernel, and writes it into these globals before the program is loaded. The C side asks libbpf
//! for the same (CO-RE).

use aya_ebpf::{
    Global,
    helpers::{bpf_probe_read_kernel, generated::bpf_probe_read_kernel_str},
};

// ANCHOR: offsets
#[unsafe(no_mangle)]
static DENTRY_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_NAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_INODE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_SUPER_BLOCK: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static INODE_NUMBER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SUPER_BLOCK_DEVICE: Global<u32> = Global::new(0);

/// The field of this type that lies so many bytes behind this address.
fn read<T>(address: *const u8, offset: &Global<u32>) -> Option<T> {
    // SAFETY: the helper checks the address, and fails when it cannot be read.
    unsafe { bpf_probe_read_kernel(address.wrapping_add(offset.load() as usize).cast()).ok() }
}
// ANCHOR_END: offsets

#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Dentry(pub *const u8);

impl Dentry {
    /// The folder it is in. The root of a file system is its own.
    pub fn parent(self) -> Option<Self> {
        read(self.0, &DENTRY_PARENT).map(Self)
    }

    pub fn inode(self) -> Option<u64> {
        read(read(self.0, &DENTRY_INODE)?, &INODE_NUMBER)
    }

    pub fn device(self) -> Option<u32> {
        read(read(self.0, &DENTRY_SUPER_BLOCK)?, &SUPER_BLOCK_DEVICE)
    }

    /// Copies the name with its zero byte, and says how many bytes that are.
    pub fn copy_name(self, space: &mut [u8]) -> Option<usize> {
        let name: *const u8 = read(self.0, &DENTRY_NAME)?;
        // SAFETY: the helper checks the address; the verifier checks the space.
        let length = unsafe {
            bpf_probe_read_kernel_str(space.as_mut_ptr().cast(), space.len() as u32, name.cast())
        };
        usize::try_from(length).ok()
    }
}
