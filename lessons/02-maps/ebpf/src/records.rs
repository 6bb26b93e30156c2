//! What the kernel side and user space tell each other, in the layout that the structs in
//! `bpf/maps.bpf.c` have too. Both are compiled from this file.

use core::sync::atomic::AtomicU64;

/// A name has at most 255 bytes, on every file system; the kernel puts a zero after it.
pub const NAME_SIZE: usize = 256;

/// How many folders up the program looks. The verifier wants to see that a loop ends.
pub const LEVELS: usize = 16;

/// How much of a name the table of recent names keeps.
pub const KEY_SIZE: usize = 64;

/// The 16 bytes of a process's name. As two numbers they are compared in two instructions.
pub type ProcessName = [u64; 2];

/// The directory that is watched. Inode numbers count anew on each device.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watched {
    pub inode: u64,
    pub device: u64,
}

/// What was done to a name.
#[repr(u32)]
#[derive(Clone, Copy)]
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

/// One change, as it travels through the ring buffer.
#[repr(C)]
pub struct Change {
    pub kind: u32,
    pub pid: u32,
    pub process: ProcessName,
    /// From the name itself upwards: `file\0folder\0`. Only the part that is used travels.
    pub names: [u8; LEVELS * NAME_SIZE],
}

/// What one process has changed.
#[repr(C)]
pub struct Process {
    pub changes: AtomicU64,
    pub process: ProcessName,
}

/// What happened to one name.
#[repr(C)]
pub struct Recent {
    pub changes: AtomicU64,
    /// In nanoseconds since the machine started.
    pub last: u64,
}

/// What the program counts.
#[repr(C)]
pub struct Counters {
    /// All changes below the directory, whether they reached user space or not.
    pub changes: AtomicU64,
    /// The ring buffer was full.
    pub lost: AtomicU64,
    /// The table of processes was full.
    pub uncounted: AtomicU64,
    /// More than `LEVELS` folders deep, below the directory or elsewhere: the program gave up.
    pub too_deep: AtomicU64,
}
