//! Step 2: counts frames by what they carry, and by verdict.

#![no_std]
#![no_main]

mod counters;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use xdp_ebpf::counter::Kind;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

use counters::count_frame;

// ANCHOR: count
#[xdp]
pub fn count(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    let mut packet = Packet::default();
    let kind = parse_packet(data, end, &mut packet);
    let verdict = match kind {
        Kind::Malformed => XDP_DROP,
        _ => XDP_PASS,
    };
    count_frame(kind, verdict, end - data);
    verdict
}
// ANCHOR_END: count

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
