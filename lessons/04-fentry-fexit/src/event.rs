//! What the kernel side tells the user side. Both include this file; `bpf/event.h` says the same in
//! C.

/// Which pair of programs saw a call: also the index of its [`Totals`].
pub const FEXIT: u32 = 0;
pub const KRETPROBE: u32 = 1;

/// One call of the function, after its return.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    /// When it was entered, in nanoseconds since the machine started. 0: there was no room to note
    /// it.
    pub start: u64,
    /// Nanoseconds, if `start` is known.
    pub took: u64,
    pub flags: u64,
    pub way: u32,
    pub pid: u32,
    pub tid: u32,
    pub parent: u32,
    pub dirfd: i32,
    /// A file descriptor, or an error's negative number.
    pub result: i32,
    pub comm: [u8; 16],
    pub file: [u8; 128],
}

/// Row `n` counts the calls that took from 2^n nanoseconds to twice that.
pub const ROWS: usize = 64;

/// What one way has seen, on one CPU.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Totals {
    /// Calls that the filters let through.
    pub calls: u64,
    /// Events of these that did not fit into the ring buffer.
    pub lost: u64,
    /// Calls whose entry did not fit into the hash map.
    pub no_room: u64,
    pub latency: [u64; ROWS],
}
