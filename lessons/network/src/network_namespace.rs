//! A network namespace with veth interfaces, for this process only.
//!
//! A namespace lives as long as a process is in it. This one has no name, so it ends with the
//! process, and so do its interfaces, however the process ends.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd as _, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use common::NotReady;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc;
use nix::sched::{CloneFlags, CpuSet, sched_getcpu, sched_setaffinity, setns, unshare};
use nix::unistd::Pid;

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

/// A network namespace with IPv6, to which threads of this process can go back.
pub struct NetworkNamespace(File);

impl NetworkNamespace {
    /// Moves this thread into a new one.
    pub fn create() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET).context("cannot create a network namespace")?;
        let file = File::open("/proc/thread-self/ns/net");
        Ok(Self(file.context("cannot open the network namespace")?))
    }

    /// Moves this thread into it. Sockets stay in the namespace where they were made.
    pub fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")
    }
}

/// Keeps this thread, and those that it starts, on the CPU that it runs on. What is sent through a
/// veth interface waits in a queue of the sender's CPU: a thread that moves to another CPU can
/// overtake its own packets. On Linux 5.10 for arm64, a connection that began with packets in the
/// wrong order was never accepted.
pub fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let mut cpus = CpuSet::new();
    sched_getcpu()
        .and_then(|cpu| cpus.set(cpu))
        .and_then(|()| sched_setaffinity(this_thread, &cpus))
        .context("cannot stay on one CPU")
}

/// Creates two interfaces that are joined: what one sends, the other receives. Both are up.
pub fn create_veth_pair(one: (&str, Mac), other: (&str, Mac)) -> Result<[Interface; 2]> {
    request_veth_pair(one, other, None)?;
    set_up(one.0)?;
    set_up(other.0)?;
    Ok([wait_until_up(one.0)?, wait_until_up(other.0)?])
}

/// Does the same, with `one` in this thread's namespace `here`, and `other` in `there`.
pub fn join_namespaces(
    (one, here): ((&str, Mac), &NetworkNamespace),
    (other, there): ((&str, Mac), &NetworkNamespace),
) -> Result<[Interface; 2]> {
    request_veth_pair(one, other, Some(there.0.as_raw_fd()))?;
    set_up(one.0)?;
    there.enter()?;
    let other = set_up(other.0).and_then(|()| wait_until_up(other.0));
    here.enter()?;
    Ok([wait_until_up(one.0)?, other?])
}

fn request_veth_pair(one: (&str, Mac), other: (&str, Mac), there: Option<RawFd>) -> Result<()> {
    let netlink = Netlink::open()?;
    let mut link = describe_end(one);
    let mut peer = describe_end(other);
    peer.attributes.extend(there.map(LinkAttribute::NetNsFd));
    let peer = InfoData::Veth(InfoVeth::Peer(peer));
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
    Ok(())
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
fn set_up(name: &str) -> Result<()> {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    Netlink::open()?
        .send_request(RouteNetlinkMessage::SetLink(link), 0)
        .with_context(|| format!("cannot set up {name}"))?;
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

pub fn add_address(
    interface: &Interface,
    address: impl Into<IpAddr>,
    prefix_len: u8,
) -> Result<()> {
    let address = address.into();
    let mut message = AddressMessage::default();
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    // No other host could have it. Without this, IPv6 asks for a second and meanwhile does not use
    // the address.
    message.header.flags = AddressHeaderFlags::Nodad;
    message.header.prefix_len = prefix_len;
    message.header.index = interface.index;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
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
