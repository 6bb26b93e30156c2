//! The demo's network: two pairs of interfaces in a network namespace of this process.
//!
//! ```text
//!   c0 ======== fw0 [firewall]        fw1 ======== b0
//!   the client  10.6.0.1              redirected frames leave here
//! ```
//!
//! A namespace lives as long as something is in it. Nothing names this one, so it goes with the
//! process, and takes its interfaces along, however the process ends.

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
use nix::sched::{CloneFlags, unshare};

use crate::frame::{CLIENT, Mac, SERVER};
use crate::interface::Interface;
use crate::netlink::Netlink;

/// Long enough for a machine that is very busy.
pub const LIMIT: Duration = Duration::from_secs(10);

pub const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
/// The client's second address, which the demo blocks.
pub const BAD_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 6, 6, 6);
const PREFIX: u8 = 16;

const EXIT: Mac = [2, 0, 0, 0, 1, 1];
const BEHIND: Mac = [2, 0, 0, 0, 1, 2];

pub struct Network {
    pub client: Interface,
    pub server: Interface,
    pub exit: Interface,
    pub behind: Interface,
}

pub fn create() -> Result<Network> {
    unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
    no_ipv6().context("switch off IPv6 of the demo's interfaces")?;
    let netlink = Netlink::open()?;
    pair(&netlink, ("fw0", SERVER), ("c0", CLIENT))?;
    pair(&netlink, ("fw1", EXIT), ("b0", BEHIND))?;
    for name in ["fw0", "c0", "fw1", "b0"] {
        switch_on(&netlink, name).with_context(|| format!("switch on {name}"))?;
    }
    let server = Interface::find("fw0")?;
    add_address(&netlink, &server).context("give fw0 an address")?;
    add_neighbour(&netlink, &server).context("tell fw0 where the client is")?;
    Ok(Network {
        client: ready("c0")?,
        server: ready("fw0")?,
        exit: ready("fw1")?,
        behind: ready("b0")?,
    })
}

/// Else the interfaces would say hello to each other, at times of their own.
fn no_ipv6() -> io::Result<()> {
    for which in ["all", "default"] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1") {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn pair(netlink: &Netlink, one: (&str, Mac), other: (&str, Mac)) -> Result<()> {
    let mut link = end(one);
    let peer = InfoData::Veth(InfoVeth::Peer(end(other)));
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(peer),
    ]));
    match netlink.ask(
        RouteNetlinkMessage::NewLink(link),
        NLM_F_CREATE | NLM_F_EXCL,
    ) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Err(NotReady::new(
            "make a pair of interfaces: the kernel's module veth is not loaded",
        )
        .help("modprobe veth")
        .into()),
        Err(error) => {
            Err(error).with_context(|| format!("make the interfaces {} and {}", one.0, other.0))
        }
    }
}

fn end((name, mac): (&str, Mac)) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(mac.to_vec()),
    ];
    link
}

/// An end cannot be switched on while it is made: it does not have its other end yet.
fn switch_on(netlink: &Netlink, name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    netlink.ask(RouteNetlinkMessage::SetLink(link), 0).map(drop)
}

fn add_address(netlink: &Netlink, to: &Interface) -> io::Result<()> {
    let address = IpAddr::V4(SERVER_ADDRESS);
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = PREFIX;
    message.header.index = to.index;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    netlink
        .ask(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map(drop)
}

/// So that nobody needs to ask by ARP.
fn add_neighbour(netlink: &Netlink, on: &Interface) -> io::Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = on.index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(BAD_ADDRESS.into()),
        NeighbourAttribute::LinkLayerAddress(CLIENT.to_vec()),
    ];
    netlink
        .ask(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map(drop)
}

/// The kernel switches an interface on a moment after it was told to; until then, frames are lost.
fn ready(name: &str) -> Result<Interface> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let interface = Interface::find(name)?;
        if interface.is_up {
            return Ok(interface);
        }
        if Instant::now() > deadline {
            bail!("wait for interface {name}: it is still down after {LIMIT:?}");
        }
        sleep(Duration::from_millis(1));
    }
}
