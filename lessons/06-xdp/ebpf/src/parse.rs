//! Step 1: drops frames that are malformed.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use xdp_ebpf::counter::Kind;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

// ANCHOR: parse
#[xdp]
pub fn parse(ctx: XdpContext) -> u32 {
    let mut packet = Packet::default();
    match parse_packet(ctx.data(), ctx.data_end(), &mut packet) {
        Kind::Malformed => XDP_DROP,
        _ => XDP_PASS,
    }
}
// ANCHOR_END: parse

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
