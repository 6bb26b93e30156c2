//! Kernel side: a firewall that sees each frame before the kernel's network stack does, and its
//! neighbour in tc.

#![no_std]
#![no_main]

mod headers;
mod packet;

#[path = "../../src/counting.rs"]
mod counting;

use core::mem::swap;

use aya_ebpf::{
    Global,
    bindings::{
        TC_ACT_OK, TC_ACT_SHOT,
        xdp_action::{XDP_DROP, XDP_PASS, XDP_TX},
    },
    helpers::bpf_redirect,
    macros::{classifier, map, xdp},
    maps::{HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::{TcContext, XdpContext},
};

use counting::{COUNTERS, Counter, Kind, VERDICTS};
use headers::{Icmp, Ipv4};
use packet::Packet;

/// Whether the firewall answers pings itself. Set before loading, fixed from then on.
#[unsafe(no_mangle)]
static ANSWER_PING: Global<u8> = Global::new(0);

// ANCHOR: rules
/// A prefix of addresses, and the verdict for what comes from there. The longest prefix that fits
/// is found.
#[map]
static RULES_V4: LpmTrie<[u16; 2], u32> = LpmTrie::with_max_entries(1024, 0);
#[map]
static RULES_V6: LpmTrie<[u16; 8], u32> = LpmTrie::with_max_entries(1024, 0);
// ANCHOR_END: rules

/// A UDP port, and the interface that its datagrams leave by. A devmap is made for this, and
/// quicker; but Linux 5.10 refuses aya's, which have room for a second program, in generic mode.
#[map]
static REDIRECTS: HashMap<u32, u32> = HashMap::with_max_entries(64, 0);

/// Each CPU counts for itself, so that none waits for another; user space adds up.
#[map]
static FRAMES: PerCpuArray<Counter> = PerCpuArray::with_max_entries(COUNTERS, 0);
#[map]
static EGRESS_DROPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

// ANCHOR: firewall
#[xdp]
pub fn firewall(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    let mut packet = Packet::default();
    let kind = packet::parse(data, end, &mut packet).unwrap_or(Kind::Malformed);
    let verdict = judge(kind, &mut packet);
    count(kind, verdict, (end - data) as u64);
    verdict
}

#[inline(always)]
fn judge(kind: Kind, packet: &mut Packet<'_>) -> u32 {
    if kind == Kind::Malformed || source_rule(packet) == Some(XDP_DROP) {
        return XDP_DROP;
    }
    if answer(packet).is_some() {
        return XDP_TX;
    }
    match redirection(packet) {
        // SAFETY: it only notes where to; the kernel goes by the number, and drops what goes
        // nowhere.
        Some(interface) => unsafe { bpf_redirect(interface, 0) as u32 },
        None => XDP_PASS,
    }
}
// ANCHOR_END: firewall

/// The pass program of the demo: a veth takes frames that XDP sends only if it has a program
/// itself.
#[xdp]
pub fn pass(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

// ANCHOR: lookup
#[inline(always)]
fn source_rule(packet: &Packet<'_>) -> Option<u32> {
    match (&packet.v4, &packet.v6) {
        (Some(ip), _) => RULES_V4.get(Key::new(32, ip.source)).copied(),
        (_, Some(ip)) => RULES_V6.get(Key::new(128, ip.source)).copied(),
        _ => None,
    }
}
// ANCHOR_END: lookup

#[inline(always)]
fn destination_rule(packet: &Packet<'_>) -> Option<u32> {
    match (&packet.v4, &packet.v6) {
        (Some(ip), _) => RULES_V4.get(Key::new(32, ip.destination)).copied(),
        (_, Some(ip)) => RULES_V6.get(Key::new(128, ip.destination)).copied(),
        _ => None,
    }
}

#[inline(always)]
fn redirection(packet: &Packet<'_>) -> Option<u32> {
    let port = u16::from_be(packet.udp.as_ref()?.destination);
    // SAFETY: an entry that user space replaces at this moment gives the old number or the new one.
    unsafe { REDIRECTS.get(u32::from(port)) }.copied()
}

// ANCHOR: answer
/// Makes the answer of a ping, in place. Not of one that goes to many: who asks could have a victim
/// flooded.
#[inline(always)]
fn answer(packet: &mut Packet<'_>) -> Option<()> {
    let (ethernet, icmp) = (packet.ethernet.as_mut()?, packet.icmp.as_mut()?);
    if ANSWER_PING.load() == 0
        || icmp.code != 0
        || u16::from_be(ethernet.destination[0]) & 0x0100 != 0
    {
        return None;
    }
    match (&mut packet.v4, &mut packet.v6) {
        // With options comes a path that would have to be turned round: that is left to the kernel.
        (Some(ip), _)
            if icmp.kind == 8 && ip.version_and_length & 0x0f == size_of::<Ipv4>() as u8 / 4 =>
        {
            swap(&mut ip.source, &mut ip.destination);
            set_kind(icmp, 8, 0);
        }
        (_, Some(ip)) if icmp.kind == 128 => {
            swap(&mut ip.source, &mut ip.destination);
            set_kind(icmp, 128, 129);
        }
        _ => return None,
    }
    swap(&mut ethernet.source, &mut ethernet.destination);
    Some(())
}
// ANCHOR_END: answer

/// The checksum is a sum of 16-bit words, so that only the difference counts: here, of the word
/// with the kind in its upper half. Addresses that change places leave their sum as it is.
#[inline(always)]
fn set_kind(icmp: &mut Icmp, old: u8, new: u8) {
    icmp.kind = new;
    let sum = !u16::from_be(icmp.checksum);
    let sum = u32::from(sum) + u32::from(!(u16::from(old) << 8)) + (u32::from(new) << 8);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    icmp.checksum = (!(sum as u16)).to_be();
}

#[inline(always)]
fn count(kind: Kind, verdict: u32, bytes: u64) {
    if let Some(counter) = FRAMES.get_ptr_mut(kind as u32 * VERDICTS + verdict) {
        // SAFETY: it is this CPU's own counter, and an XDP program is not interrupted by another.
        unsafe {
            (*counter).frames += 1;
            (*counter).bytes += bytes;
        }
    }
}

// ANCHOR: egress
/// tc's program sees what goes out, which XDP never does.
#[classifier]
pub fn egress(ctx: TcContext) -> i32 {
    let mut packet = Packet::default();
    packet::parse(ctx.data(), ctx.data_end(), &mut packet);
    if destination_rule(&packet) != Some(XDP_DROP) {
        return TC_ACT_OK;
    }
    if let Some(drops) = EGRESS_DROPS.get_ptr_mut(0) {
        // SAFETY: it is this CPU's own counter.
        unsafe { *drops += 1 };
    }
    TC_ACT_SHOT
}
// ANCHOR_END: egress

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
