//! Where a service or a backend is. The eBPF programs in Rust and the user-space program both
//! compile this file; `bpf/endpoint.h` has the same in C.

use bytemuck::{Pod, Zeroable};

/// How many backends there are.
pub const BACKENDS: u32 = 2;

/// All of it in network order, except `is_up`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Endpoint {
    /// In the form of IPv6: `::ffff:10.0.0.1`.
    pub ipv4: [u32; 4],
    pub ipv6: [u32; 4],
    pub port: u16,
    /// 0: it gets no new connections.
    pub is_up: u16,
}
