//! Lightweight tunnels: programs of routes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteLwEnCapType, RouteLwTunnelEncap, RouteMessage,
    RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc;
use plan::load::{AttachResult, MissingKind};

use super::netlink::{nest, number_attribute, request_route_change, text_attribute};
use super::network::Network;
use super::refusal::{missing, refuse};
use super::request::AttachRequest;

/// Attributes of such a route, from `linux/lwtunnel.h` and `linux/seg6_local.h`.
const LWT_BPF_IN: u16 = 1;
const LWT_BPF_OUT: u16 = 2;
const LWT_BPF_XMIT: u16 = 3;
const SEG6_LOCAL_ACTION: u16 = 1;
const SEG6_LOCAL_BPF: u16 = 8;
const SEG6_LOCAL_ACTION_END_BPF: u32 = 15;
/// The same in both.
const PROGRAM_DESCRIPTOR: u16 = 1;
const PROGRAM_NAME: u16 = 2;

/// A route through the loopback interface of a namespace where nothing is sent.
pub fn attach_to_route(
    network: &mut Network,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let inside = network.enter()?;
    let route = describe_route(request, inside.loopback()?);
    let new = NLM_F_CREATE | NLM_F_EXCL;
    request_route_change(RouteNetlinkMessage::NewRoute(route.clone()), new).map_err(|error| {
        let is_unknown = error.raw_os_error() == Some(libc::EOPNOTSUPP);
        let missing = is_unknown.then(|| missing(MissingKind::AttachType, "LWTUNNEL_ENCAP_BPF"));
        refuse(missing, "cannot add a route with a program", error)
    })?;
    request_route_change(RouteNetlinkMessage::DelRoute(route), 0)
        .map_err(|error| refuse(None, "cannot remove the route", error))
}

fn describe_route(request: &AttachRequest<'_>, interface: u32) -> RouteMessage {
    let program = |attribute| {
        let descriptor = request.program.as_raw_fd() as u32;
        nest(
            attribute,
            &[
                number_attribute(PROGRAM_DESCRIPTOR, descriptor),
                text_attribute(PROGRAM_NAME, request.name),
            ],
        )
    };
    let direction = match request.prog_type {
        libbpf_sys::BPF_PROG_TYPE_LWT_IN => LWT_BPF_IN,
        libbpf_sys::BPF_PROG_TYPE_LWT_OUT => LWT_BPF_OUT,
        libbpf_sys::BPF_PROG_TYPE_LWT_XMIT => LWT_BPF_XMIT,
        _ => {
            let action = number_attribute(SEG6_LOCAL_ACTION, SEG6_LOCAL_ACTION_END_BPF);
            let attributes = [action, program(SEG6_LOCAL_BPF)];
            return add_tunnel(
                ipv6_route(interface),
                RouteLwEnCapType::Seg6Local,
                attributes,
            );
        }
    };
    add_tunnel(
        ipv4_route(interface),
        RouteLwEnCapType::Bpf,
        [program(direction)],
    )
}

fn add_tunnel(
    mut route: RouteMessage,
    kind: RouteLwEnCapType,
    attributes: impl IntoIterator<Item = DefaultNla>,
) -> RouteMessage {
    let attributes = attributes.into_iter().map(RouteLwTunnelEncap::Other);
    route.attributes.extend([
        RouteAttribute::EncapType(kind),
        RouteAttribute::Encap(attributes.collect()),
    ]);
    route
}

/// To a network that is reserved for documentation: nobody is there.
fn ipv4_route(interface: u32) -> RouteMessage {
    const DESTINATION: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 0);
    let mut route = describe_destination(RouteAddress::Inet(DESTINATION), interface);
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = 24;
    route
}

fn ipv6_route(interface: u32) -> RouteMessage {
    const DESTINATION: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    let mut route = describe_destination(RouteAddress::Inet6(DESTINATION), interface);
    route.header.address_family = AddressFamily::Inet6;
    route.header.destination_prefix_length = 64;
    route
}

fn describe_destination(destination: RouteAddress, interface: u32) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.protocol = RouteProtocol::Static;
    route.header.kind = RouteType::Unicast;
    route.attributes = vec![
        RouteAttribute::Destination(destination),
        RouteAttribute::Oif(interface),
    ];
    route
}
