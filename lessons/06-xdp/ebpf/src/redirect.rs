//! Step 5: sends datagrams for some UDP ports out through another interface.

#![no_std]
#![no_main]

mod counters;
mod rules;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    btf_maps::HashMap,
    helpers::bpf_redirect,
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use xdp_ebpf::address::find_source;
use xdp_ebpf::counter::Kind;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

use counters::count_frame;
use rules::is_blocked;

// ANCHOR: redirect
/// A UDP port, and the index of the interface that its datagrams leave through.
///
/// A devmap is made for this and is faster. But Linux 5.10 does not redirect in generic mode with
/// aya's devmaps, whose entries have room for a second program.
#[btf_map]
static REDIRECTS: HashMap<u32, u32, 64> = HashMap::new();

#[inline(always)]
fn find_interface(packet: &Packet<'_>) -> Option<u32> {
    let port = packet.udp.as_ref()?.dst_port();
    // SAFETY: if user space changes the entry now, this is the old number or the new one.
    unsafe { REDIRECTS.get(u32::from(port)) }.copied()
}

#[xdp]
pub fn redirect(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    let mut packet = Packet::default();
    let kind = parse_packet(data, end, &mut packet);
    let verdict = if kind == Kind::Malformed || is_blocked(find_source(&packet)) {
        XDP_DROP
    } else {
        match find_interface(&packet) {
            // SAFETY: it only notes the interface. The kernel drops the frame if there is none.
            Some(ifindex) => unsafe { bpf_redirect(ifindex, 0) as u32 },
            None => XDP_PASS,
        }
    };
    count_frame(kind, verdict, end - data);
    verdict
}
// ANCHOR_END: redirect

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
