//! A load balancer in tc: packets to the service get the address of a backend, and packets from a
//! backend that of the service.

#![no_std]
#![no_main]

mod backends;
mod flows;
mod service;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use traffic_ebpf::packet::parse_packet;
use traffic_ebpf::rewrite::{Side, rewrite_peer};

use backends::find_backend;
use flows::{find_flow, keep_or_choose};
use service::find_service;

// ANCHOR: balance
/// For ingress. Other packets are none of its business: TC_ACT_UNSPEC lets the next program decide.
#[classifier]
pub fn to_backend(ctx: TcContext) -> i32 {
    let Some(service) = find_service() else {
        return TC_ACT_UNSPEC;
    };
    let Some(packet) = parse_packet(&ctx) else {
        return TC_ACT_UNSPEC;
    };
    if packet.destination != packet.peer_at(service) {
        return TC_ACT_UNSPEC;
    }
    let Some(backend) = keep_or_choose(&packet).and_then(find_backend) else {
        return TC_ACT_SHOT; // no backend is up
    };
    let to = packet.peer_at(backend);
    match rewrite_peer(&ctx, &packet, Side::Destination, &to) {
        Ok(()) => TC_ACT_UNSPEC,
        Err(_) => TC_ACT_SHOT,
    }
}

/// For egress.
#[classifier]
pub fn to_client(ctx: TcContext) -> i32 {
    let Some(service) = find_service() else {
        return TC_ACT_UNSPEC;
    };
    let Some(packet) = parse_packet(&ctx) else {
        return TC_ACT_UNSPEC;
    };
    match find_flow(&packet).and_then(find_backend) {
        Some(backend) if packet.source == packet.peer_at(backend) => {}
        _ => return TC_ACT_UNSPEC,
    }
    match rewrite_peer(&ctx, &packet, Side::Source, &packet.peer_at(service)) {
        Ok(()) => TC_ACT_UNSPEC,
        Err(_) => TC_ACT_SHOT,
    }
}
// ANCHOR_END: balance

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
