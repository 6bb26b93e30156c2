//! What the kernel side tells user space, for both: an event in the layout of `struct event` in
//! `bpf/lsm.bpf.c`.

/// What a covered process wanted to do with a file under the directory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    pub pid: u32,
    /// `OPEN` and so on.
    pub action: u32,
    /// From the file up to the directory. 0: it is the directory; 1: it lies right in it.
    pub steps: u32,
    /// 1: denied; 0: let through, because it is an audit.
    pub denied: u32,
    /// Of the process; ends with a zero byte.
    pub comm: [u8; 16],
    /// Of the file, without folders; ends with a zero byte. Linux has no longer names.
    pub name: [u8; 256],
}

pub const OPEN: u32 = 0;
pub const EXEC: u32 = 1;
pub const RENAME: u32 = 2;
pub const LINK: u32 = 3;

/// The size of the map of counts, and what is where: all events; those that the ring buffer had no
/// room for; and the files about which the witness was asked, with a verdict of 0 so far or with
/// another.
pub const COUNTS: usize = 4;
pub const SENT: usize = 0;
pub const LOST: usize = 1;
pub const ASKED_WITH_ZERO: usize = 2;
pub const ASKED_WITH_VERDICT: usize = 3;
