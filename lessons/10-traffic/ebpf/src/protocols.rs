//! A socket filter that counts, with one program for each protocol.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{PerCpuArray, ProgramArray},
    macros::{btf_map, socket_filter},
    programs::SkBuffContext,
};
use traffic_ebpf::headers::{ACK, SYN};
use traffic_ebpf::transport::find_transport;

const ICMP_ECHO: u8 = 8;

/// Where in COUNTERS.
const CONNECTIONS: u32 = 0;
const DATAGRAMS: u32 = 1;
const PINGS: u32 = 2;

/// What the filter's own socket receives of the packet: nothing. The packet goes on all the same.
const NOTHING: i64 = 0;

// ANCHOR: dispatch
/// For each number of a protocol in an IP header a program, or none.
#[btf_map]
static PROTOCOLS: ProgramArray<256> = ProgramArray::new();

/// A tail call passes nothing on but the context. Five words in it, `cb`, are for programs to use.
#[socket_filter]
pub fn dispatch(mut ctx: SkBuffContext) -> i64 {
    let Some((protocol, transport)) = find_transport(&ctx) else {
        return NOTHING;
    };
    ctx.skb.cb_mut()[0] = transport;
    // SAFETY: nothing here waits to be dropped.
    unsafe { PROTOCOLS.tail_call(&ctx, protocol.into()) };
    NOTHING // there is no program for this protocol
}
// ANCHOR_END: dispatch

// ANCHOR: count
#[btf_map]
static COUNTERS: PerCpuArray<u64, 3> = PerCpuArray::new();

#[inline(always)]
fn count(index: u32) {
    if let Some(counter) = COUNTERS.get_ptr_mut(index) {
        // SAFETY: this counter belongs to this CPU.
        unsafe { *counter += 1 };
    }
}

#[socket_filter]
pub fn count_tcp(ctx: SkBuffContext) -> i64 {
    let flags = ctx.load::<u8>(ctx.skb.cb()[0] as usize + 13);
    if flags.is_ok_and(|flags| flags & (SYN | ACK) == SYN) {
        count(CONNECTIONS);
    }
    NOTHING
}

#[socket_filter]
pub fn count_udp(_ctx: SkBuffContext) -> i64 {
    count(DATAGRAMS);
    NOTHING
}

#[socket_filter]
pub fn count_icmp(ctx: SkBuffContext) -> i64 {
    let kind = ctx.load::<u8>(ctx.skb.cb()[0] as usize);
    if kind == Ok(ICMP_ECHO) {
        count(PINGS);
    }
    NOTHING
}
// ANCHOR_END: count

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
