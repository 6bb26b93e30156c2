//! What the programs of this lesson share. Each file has its twin in `bpf/`.
//!
//! ```text
//!   headers    numbers in the headers of packets
//!   packet     the addresses and ports of a packet
//!   rewrite    puts others into it, and corrects its checksums
//!   transport  the protocol after the IP header, for the socket filter
//! ```
//!
//! Four more files have maps, so only the programs that need these maps include them: `service`,
//! `backends`, `flows` and `sockets`.

#![no_std]

pub mod headers;
pub mod packet;
pub mod rewrite;
pub mod transport;

#[path = "../../common/endpoint.rs"]
pub mod endpoint;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
