//! Step 4: answers pings in place and sends the frame back.

#![no_std]
#![no_main]

mod counters;
mod rules;

use core::mem::swap;

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS, XDP_TX},
    macros::xdp,
    programs::XdpContext,
};
use network_types::icmp::Icmpv4Hdr;
use network_types::ip::Ipv4Hdr;
use xdp_ebpf::address::find_source;
use xdp_ebpf::counter::Kind;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

use counters::count_frame;
use rules::is_blocked;

const ICMP_ECHOREPLY: u8 = 0;
const ICMP_ECHO: u8 = 8;
const ICMPV6_ECHO_REQUEST: u8 = 128;
const ICMPV6_ECHO_REPLY: u8 = 129;

/// Sets the type and corrects the checksum, which is a sum of 16-bit words, by the difference
/// (RFC 1624). The type is the upper half of a word. Swapped addresses leave the sum as it is.
#[inline(always)]
fn set_type(icmp: &mut Icmpv4Hdr, old: u8, new: u8) {
    icmp.type_ = new;
    let mut sum = u32::from(!u16::from_be_bytes(icmp.check));
    sum += u32::from(!(u16::from(old) << 8)) + (u32::from(new) << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    icmp.check = (!(sum as u16)).to_be_bytes();
}

// ANCHOR: answer
/// Turns a ping into its answer. `None` for everything else, and for pings to a multicast address:
/// with a forged sender, each of them would make many hosts answer one victim.
#[inline(always)]
fn answer_ping(packet: &mut Packet<'_>) -> Option<()> {
    let (eth, icmp) = (packet.eth.as_mut()?, packet.icmp.as_mut()?);
    if icmp.code != 0 || eth.dst_addr[0] & 1 != 0 {
        return None;
    }
    match (&mut packet.ipv4, &mut packet.ipv6) {
        // The kernel answers pings with IP options: these may hold a route to be reversed.
        (Some(ip), _) if icmp.type_ == ICMP_ECHO && usize::from(ip.ihl()) == Ipv4Hdr::LEN => {
            swap(&mut ip.src_addr, &mut ip.dst_addr);
            set_type(icmp, ICMP_ECHO, ICMP_ECHOREPLY);
        }
        (_, Some(ip)) if icmp.type_ == ICMPV6_ECHO_REQUEST => {
            swap(&mut ip.src_addr, &mut ip.dst_addr);
            set_type(icmp, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
        }
        _ => return None,
    }
    swap(&mut eth.src_addr, &mut eth.dst_addr);
    Some(())
}
// ANCHOR_END: answer

#[xdp]
pub fn reply(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    let mut packet = Packet::default();
    let kind = parse_packet(data, end, &mut packet);
    let verdict = if kind == Kind::Malformed || is_blocked(find_source(&packet)) {
        XDP_DROP
    } else if answer_ping(&mut packet).is_some() {
        XDP_TX
    } else {
        XDP_PASS
    };
    count_frame(kind, verdict, end - data);
    verdict
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
