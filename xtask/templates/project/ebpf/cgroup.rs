//! Counts the packets that the processes of a control group send, by their protocol.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::PerCpuHashMap,
    macros::{btf_map, cgroup_skb},
    programs::SkBuffContext,
};

/// From a protocol (1 ICMP, 6 TCP, 17 UDP) to a number for each CPU: no two CPUs ever change the
/// same one.
#[btf_map]
static COUNTS: PerCpuHashMap<u32, u64, 256> = PerCpuHashMap::new();

/// Where the IP header begins.
const IP: usize = 0;

#[cgroup_skb]
pub fn count_packet(ctx: SkBuffContext) -> i32 {
    // Fails if the packet is shorter.
    if let Ok(header) = ctx.load(IP) {
        count(header);
    }
    // Send it. 0 would drop it.
    1
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
