//! How frames are counted. The eBPF programs in Rust and the user-space program both compile this
//! file; `bpf/counters.h` has the same in C.

use bytemuck::{Pod, Zeroable};

/// What a frame carries, as far as the lesson looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// Not IP, or a protocol inside IP that the lesson does not follow.
    Other,
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    /// A piece of a packet. Only the first piece has ports, so fragments are judged by address.
    Fragment,
    /// Cut short, or with lengths that contradict each other.
    Malformed,
}

/// How many verdicts there are: XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT.
pub const VERDICTS: u32 = 5;

/// A counter for each kind and verdict, in one array: `kind * VERDICTS + verdict`.
pub const COUNTERS: u32 = (Kind::Malformed as u32 + 1) * VERDICTS;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Counter {
    pub frames: u64,
    pub bytes: u64,
}
