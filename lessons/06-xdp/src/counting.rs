//! How frames are counted. The kernel side in Rust and the user side both compile this file, so
//! they cannot differ; `bpf/xdp.bpf.c` has the same in C.

/// What a frame carries, as far as the firewall looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// Not IP, or something inside IP that is not followed.
    Other,
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    /// A piece of a packet: only the first has ports, so none is judged by them.
    Fragment,
    /// Cut short, or with lengths that contradict each other.
    Malformed,
}

/// XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT
pub const VERDICTS: u32 = 5;

/// A counter for each kind and verdict, in an array: `kind * VERDICTS + verdict`.
pub const COUNTERS: u32 = (Kind::Malformed as u32 + 1) * VERDICTS;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Counter {
    pub frames: u64,
    pub bytes: u64,
}
