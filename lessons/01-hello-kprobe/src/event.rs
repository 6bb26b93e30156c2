//! What the eBPF program tells the user-space program. Both compile this file; the program in C
//! has the same struct in `bpf/hello.bpf.c`.

use bytemuck::{Pod, Zeroable};

/// The function was entered: `value` is its argument `dirfd`, `name` the name of the file.
pub const ENTER: u32 = 0;
/// The function returned: `value` is its result, and `name` is empty.
pub const EXIT: u32 = 1;

// ANCHOR: event
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Event {
    pub pid: u32,
    /// `ENTER` or `EXIT`
    pub kind: u32,
    pub value: i32,
    /// Ends with a zero byte; a longer name is cut.
    pub name: [u8; 64],
}
// ANCHOR_END: event
