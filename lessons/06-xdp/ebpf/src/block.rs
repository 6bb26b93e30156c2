//! Step 3: drops packets from addresses that are blocked.

#![no_std]
#![no_main]

mod counters;
mod rules;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use xdp_ebpf::address::find_source;
use xdp_ebpf::counter::Kind;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

use counters::count_frame;
use rules::is_blocked;

// ANCHOR: block
#[xdp]
pub fn block(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    let mut packet = Packet::default();
    let kind = parse_packet(data, end, &mut packet);
    let verdict = if kind == Kind::Malformed || is_blocked(find_source(&packet)) {
        XDP_DROP
    } else {
        XDP_PASS
    };
    count_frame(kind, verdict, end - data);
    verdict
}
// ANCHOR_END: block

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
