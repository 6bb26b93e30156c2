//! The parser that all programs of this lesson share. Each file has its twin in `bpf/`.
//!
//! ```text
//!   cursor     goes through a frame, header by header, and never beyond its end
//!   packet     the headers that were found
//!   ethernet   Ethernet and VLAN tags
//!   ip         IPv4, IPv6 and its extension headers
//!   transport  TCP, UDP and ICMP
//!   address    where a packet comes from and goes to
//! ```
//!
//! Two more files have maps, so only the programs that need these maps include them: `counters` and
//! `rules`.
//!
//! What Rust costs here (`cargo xtask bench 06`): 1.2 to 1.3 times the instructions of the programs
//! in C, and twice those of `egress`. The headers of network-types are arrays of bytes, which rustc
//! loads byte by byte; and in `egress` it keeps the loop over the extension headers of IPv6, whose
//! result nothing reads, where clang drops it. At most 1.2 times as many are executed as in C.

#![no_std]

pub mod address;
pub mod cursor;
pub mod ethernet;
pub mod packet;

mod ip;
mod transport;

#[path = "../../common/counter.rs"]
pub mod counter;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
