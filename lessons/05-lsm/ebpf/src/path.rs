//! Is a file under the directory?

use aya_ebpf::Global;

/// What `steps_to_dir` says of a file that is not under the directory.
pub const OUTSIDE: u32 = u32::MAX;

/// The verifier follows every step of a loop, and has to see its end. What is deeper is denied
/// without looking further.
const MAX_STEPS: u32 = 64;

// User space sets all of these before it loads the programs; after that they are constants.
#[unsafe(no_mangle)]
static DIR_DEVICE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DIR_INODE: Global<u64> = Global::new(0);

// ANCHOR: offsets
// Offsets of fields in structs of the running kernel.
#[unsafe(no_mangle)]
pub static FILE_DENTRY: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILE_FLAGS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_INODE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_SUPER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static DENTRY_NAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static INODE_NUMBER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SUPER_DEVICE: Global<u32> = Global::new(0);

/// A field of a struct of the kernel. The verifier knows the struct's type and the constant in
/// `offset`: it checks this access like one in C, and refuses most wrong offsets, where
/// `bpf_probe_read_kernel` would read garbage.
pub fn read_field<T: Copy>(address: u64, offset: &Global<u32>) -> T {
    // SAFETY: the verifier has checked the access; if the page is missing, the kernel reads zeros.
    unsafe { *((address + u64::from(offset.load())) as *const T) }
}
// ANCHOR_END: offsets

// ANCHOR: walk
/// How many steps it is from the file up to the directory.
pub fn steps_to_dir(mut dentry: u64) -> u32 {
    let device: u32 = read_field(read_field(dentry, &DENTRY_SUPER), &SUPER_DEVICE);
    if device != DIR_DEVICE.load() {
        return OUTSIDE;
    }
    for steps in 0..MAX_STEPS {
        let inode: u64 = read_field(dentry, &DENTRY_INODE);
        let parent: u64 = read_field(dentry, &DENTRY_PARENT);
        if inode != 0 && read_field::<u64>(inode, &INODE_NUMBER) == DIR_INODE.load() {
            return steps;
        }
        if parent == dentry {
            return OUTSIDE; // the root of the file system
        }
        dentry = parent;
    }
    MAX_STEPS
}
// ANCHOR_END: walk
