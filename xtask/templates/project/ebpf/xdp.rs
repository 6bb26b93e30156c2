//! Counts the packets that arrive at a network interface, by their protocol, with XDP.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::PerCpuHashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// From a protocol (1 ICMP, 6 TCP, 17 UDP) to a number for each CPU: no two CPUs ever change the
/// same one.
#[btf_map]
static COUNTS: PerCpuHashMap<u32, u64, 256> = PerCpuHashMap::new();

/// Where the IP header begins: after 14 bytes of Ethernet.
const IP: usize = 14;

#[xdp]
pub fn count_packet(ctx: XdpContext) -> u32 {
    let header = ctx.data() + IP;
    // The verifier asks for this comparison before each access to the packet.
    if header + 10 <= ctx.data_end() {
        // SAFETY: the ten bytes are inside the packet.
        count(unsafe { *(header as *const [u8; 10]) });
    }
    // Pass it on. XDP_DROP would drop it.
    XDP_PASS
}

/// The first half of an IPv4 header: the version is in its first byte, the protocol in its last.
fn count(header: [u8; 10]) {
    if header[0] >> 4 != 4 {
        return;
    }
    let protocol: u32 = header[9].into();
    match COUNTS.get_ptr_mut(protocol) {
        // SAFETY: the number is this CPU's own.
        Some(number) => unsafe { *number += 1 },
        // Fails if the map is full: that protocol is not counted.
        None => drop(COUNTS.insert(protocol, 1, 0)),
    }
}

/// The kernel gives many helpers only to programs that are compatible with the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
