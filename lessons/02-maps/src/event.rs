//! What the eBPF program and the user-space program tell each other. Both compile this file; the
//! program in C has the same structs in `bpf/event.bpf.h`.

use bytemuck::{Pod, Zeroable};

/// A name has at most 255 bytes on every file system, and the kernel ends it with a zero byte.
pub const NAME_SIZE: usize = 256;

/// How many directories up the program looks: the verifier must see that the loop ends.
pub const LEVELS: usize = 16;

/// How many bytes of a name the map of recent names keeps.
pub const KEY_SIZE: usize = 64;

/// The 16 bytes of a process's name: as two numbers, two instructions copy them.
pub type Comm = [u64; 2];

/// What happened to a name.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Create,
    Mkdir,
    Mknod,
    Symlink,
    Link,
    Unlink,
    Rmdir,
    RenameFrom,
    RenameTo,
}

/// The directory to watch. Each device numbers its inodes itself, so it takes both numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Pod, Zeroable)]
pub struct Watched {
    pub inode: u64,
    pub device: u64,
}

// ANCHOR: records
/// One change, as it is sent through the ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Change {
    /// A `Kind`
    pub kind: u32,
    pub pid: u32,
    pub comm: Comm,
    /// From the name itself upwards: `file\0directory\0`. Only the bytes in use are sent.
    pub names: [u8; LEVELS * NAME_SIZE],
}

/// What one process has changed.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Process {
    pub changes: u64,
    pub comm: Comm,
}

/// What happened to one name.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Recent {
    pub changes: u64,
    /// Nanoseconds since the machine started
    pub last: u64,
}
// ANCHOR_END: records

#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Counters {
    /// All changes in the directory, whether they reached user space or not
    pub changes: u64,
    /// The ring buffer was full.
    pub lost: u64,
    /// The map of processes was full.
    pub uncounted: u64,
    /// More than `LEVELS` directories deep, here or elsewhere: the program gave up.
    pub too_deep: u64,
}
