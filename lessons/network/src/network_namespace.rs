//! A network namespace with veth interfaces, for this process only.
//!
//! A namespace lives as long as a process is in it. This one has no name, so it ends with the
//! process, and so do its interfaces, however the process ends.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use common::NotReady;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc;
use nix::sched::{CloneFlags, unshare};

use crate::frame::Mac;
use crate::interface::Interface;
use crate::netlink::Netlink;

/// Long enough for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Moves this thread into a new network namespace.
pub fn enter_network_namespace() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("cannot create a network namespace")?;
    disable_ipv6().context("cannot disable IPv6 for the interfaces of the demo")
}

/// With IPv6 the interfaces would send frames at times of their own choice.
fn disable_ipv6() -> io::Result<()> {
    for which in ["all", "default"] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1") {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Creates two interfaces that are joined: what one sends, the other receives. Both are up.
pub fn create_veth_pair(one: (&str, Mac), other: (&str, Mac)) -> Result<[Interface; 2]> {
    let netlink = Netlink::open()?;
    let mut link = describe_end(one);
    let peer = InfoData::Veth(InfoVeth::Peer(describe_end(other)));
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(peer),
    ]));
    match netlink.send_request(RouteNetlinkMessage::NewLink(link), NEW) {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            return Err(NotReady::new(
                "cannot create a pair of interfaces: the kernel's module veth is not loaded",
            )
            .help("modprobe veth")
            .help("in a VM: another --kernel, because Debian has no modules for some of them")
            .into());
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot create the interfaces {} and {}", one.0, other.0)
            });
        }
    }
    for (name, _) in [one, other] {
        set_up(&netlink, name).with_context(|| format!("cannot set up {name}"))?;
    }
    Ok([wait_until_up(one.0)?, wait_until_up(other.0)?])
}

fn describe_end((name, mac): (&str, Mac)) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(mac.to_vec()),
    ];
    link
}

/// An end cannot be created as "up": at that moment it does not have its other end yet.
fn set_up(netlink: &Netlink, name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    netlink.send_request(RouteNetlinkMessage::SetLink(link), 0)?;
    Ok(())
}

/// The kernel sets an interface up a moment after the request. Until then, frames are lost.
fn wait_until_up(name: &str) -> Result<Interface> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let interface = Interface::find_interface(name)?;
        if interface.is_up {
            return Ok(interface);
        }
        if Instant::now() > deadline {
            bail!("the interface {name} is still down after {LIMIT:?}");
        }
        sleep(Duration::from_millis(1));
    }
}

pub fn add_address(interface: &Interface, address: Ipv4Addr, prefix_len: u8) -> Result<()> {
    let ip = IpAddr::V4(address);
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = prefix_len;
    message.header.index = interface.index;
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    Netlink::open()?
        .send_request(RouteNetlinkMessage::NewAddress(message), NEW)
        .with_context(|| format!("cannot give {} the address {address}", interface.name))?;
    Ok(())
}

/// Tells the kernel the MAC address of a host, so that it need not ask for it with ARP.
pub fn add_neighbour(interface: &Interface, address: Ipv4Addr, mac: Mac) -> Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = interface.index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(address.into()),
        NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
    ];
    Netlink::open()?
        .send_request(RouteNetlinkMessage::NewNeighbour(message), NEW)
        .with_context(|| format!("cannot tell {} where {address} is", interface.name))?;
    Ok(())
}
