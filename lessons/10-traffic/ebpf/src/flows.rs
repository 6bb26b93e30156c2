//! Which backend a client has.

use aya_ebpf::{btf_maps::LruHashMap, macros::btf_map};
use traffic_ebpf::packet::{Packet, Peer};

use crate::backends::{choose_backend, is_up};

// ANCHOR: flows
/// A client, and what it speaks. There is one service, so its address is not part of it.
#[repr(C)]
struct Flow {
    address: [u32; 4],
    port: u16,
    protocol: u16,
}

/// The index of the backend that a flow has. When the map is full, the flow that was used least
/// recently makes room.
#[btf_map]
static FLOWS: LruHashMap<Flow, u32, 65_536> = LruHashMap::new();
// ANCHOR_END: flows

#[inline(always)]
fn flow_of(client: &Peer, packet: &Packet) -> Flow {
    Flow {
        address: client.address,
        port: client.port,
        protocol: packet.protocol.into(),
    }
}

// ANCHOR: affinity
/// A flow stays with its backend. What starts a connection goes to a backend that is up.
#[inline(always)]
pub fn keep_or_choose(packet: &Packet) -> Option<u32> {
    let flow = flow_of(&packet.source, packet);
    // SAFETY: nothing changes a value in place.
    if let Some(&index) = unsafe { FLOWS.get(&flow) }
        && (is_up(index) || !packet.starts_connection)
    {
        return Some(index);
    }
    let index = choose_backend()?;
    FLOWS.insert(&flow, index, 0).ok()?;
    Some(index)
}
// ANCHOR_END: affinity

/// The backend of the flow that the packet answers.
#[inline(always)]
pub fn find_flow(packet: &Packet) -> Option<u32> {
    let flow = flow_of(&packet.destination, packet);
    // SAFETY: nothing changes a value in place.
    unsafe { FLOWS.get(&flow) }.copied()
}
