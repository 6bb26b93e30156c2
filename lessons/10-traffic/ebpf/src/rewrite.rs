//! Puts another address and port into a packet, and corrects its checksums by the difference.

use aya_ebpf::bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, BPF_F_RECOMPUTE_CSUM};
use aya_ebpf::programs::TcContext;
use network_types::eth::EthHdr;

use crate::headers::UDP;
use crate::packet::{Packet, Peer};

/// Which end of the packet: the index in the pairs of addresses and ports of its headers.
#[derive(Clone, Copy)]
pub enum Side {
    Source = 0,
    Destination = 1,
}

// ANCHOR: rewrite
#[inline(always)]
pub fn rewrite_peer(ctx: &TcContext, packet: &Packet, side: Side, to: &Peer) -> Result<(), i64> {
    let (index, transport) = (side as usize, packet.transport);
    let from = match side {
        Side::Source => &packet.source,
        Side::Destination => &packet.destination,
    };
    // The checksum of UDP may be 0, for "none": it stays so.
    let (check, flags) = match packet.protocol {
        UDP => (transport + 6, u64::from(BPF_F_MARK_MANGLED_0)),
        _ => (transport + 16, 0),
    };
    // TCP and UDP sum up the addresses too, as a "pseudo header".
    let pseudo = flags | u64::from(BPF_F_PSEUDO_HDR);
    if packet.is_ipv4 {
        let (old, new) = (from.address[3], to.address[3]);
        ctx.l3_csum_replace(EthHdr::LEN + 10, old.into(), new.into(), 4)?;
        ctx.l4_csum_replace(check, old.into(), new.into(), pseudo | 4)?;
        ctx.store(EthHdr::LEN + 12 + index * 4, &new, 0)?;
    } else {
        for (&old, &new) in from.address.iter().zip(&to.address) {
            ctx.l4_csum_replace(check, old.into(), new.into(), pseudo | 4)?;
        }
        // IPv6 has no checksum that would make up for the address in the sum that a network card
        // may have made of the whole packet. The flag corrects that.
        let recompute = u64::from(BPF_F_RECOMPUTE_CSUM);
        ctx.store(EthHdr::LEN + 8 + index * 16, &to.address, recompute)?;
    }
    ctx.l4_csum_replace(check, from.port.into(), to.port.into(), flags | 2)?;
    ctx.store(transport + index * 2, &to.port, 0)
}
// ANCHOR_END: rewrite
