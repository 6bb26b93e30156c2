//! A network namespace for programs that are attached to interfaces, routes or the namespace
//! itself: nothing else is in it, and it is gone when its descriptor is closed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, setns, unshare};
use plan::load::{AttachResult, MissingKind};

use super::netlink::request_route_change;
use super::refusal::{lack_module, missing, not_tried, refuse};

const HERE: &str = "/proc/thread-self/ns/net";

/// Made when it is first needed.
#[derive(Default)]
pub struct Network(Option<Namespace>);

struct Namespace {
    outside: File,
    inside: File,
}

impl Network {
    /// Moves this thread into the namespace, until what is returned is dropped.
    pub fn enter(&mut self) -> Result<Inside<'_>, AttachResult> {
        let namespace = match self.0.take() {
            Some(namespace) => namespace,
            None => Namespace::create().map_err(|error| {
                not_tried(format!("cannot create a network namespace: {error}"))
            })?,
        };
        let namespace = self.0.insert(namespace);
        setns(&namespace.inside, CloneFlags::CLONE_NEWNET)
            .map_err(|error| not_tried(format!("cannot enter a network namespace: {error}")))?;
        Ok(Inside(namespace))
    }
}

impl Namespace {
    fn create() -> io::Result<Self> {
        let outside = File::open(HERE)?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let inside = File::open(HERE);
        setns(&outside, CloneFlags::CLONE_NEWNET)?;
        Ok(Self {
            outside,
            inside: inside?,
        })
    }
}

/// This thread is in the namespace.
pub struct Inside<'a>(&'a Namespace);

impl Inside<'_> {
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.inside.as_fd()
    }

    /// One end of a pair of virtual interfaces: of Ethernet, or where the kernel came without that
    /// module, of netkit. It is down: nothing goes through it.
    pub fn veth(&self) -> Result<u32, AttachResult> {
        let is_unknown = |error: &io::Error| error.raw_os_error() == Some(libc::EOPNOTSUPP);
        match ensure_interface("loader0", InfoKind::Veth) {
            Ok(index) => Ok(index),
            // Kernels that have netkit have it built in.
            Err(error) if is_unknown(&error) => {
                ensure_interface("loader1", InfoKind::Netkit).map_err(|_| lack_module("veth"))
            }
            Err(error) => Err(refuse(None, "cannot create a veth pair", error)),
        }
    }

    /// The first end of a netkit pair.
    pub fn netkit(&self, attach_type: &str) -> Result<u32, AttachResult> {
        ensure_interface("loader1", InfoKind::Netkit).map_err(|error| {
            let is_unknown = error.raw_os_error() == Some(libc::EOPNOTSUPP);
            let missing = is_unknown.then(|| missing(MissingKind::AttachType, attach_type));
            refuse(missing, "cannot create a netkit pair", error)
        })
    }

    /// The loopback interface, which is up.
    pub fn loopback(&self) -> Result<u32, AttachResult> {
        let cannot = |error: io::Error| not_tried(format!("cannot set lo up: {error}"));
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes = vec![LinkAttribute::IfName("lo".to_owned())];
        request_route_change(RouteNetlinkMessage::SetLink(link), 0).map_err(cannot)?;
        if_nametoindex("lo").map_err(|error| cannot(error.into()))
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // It succeeded when the namespace was made, and nothing can have changed since.
        let _ = setns(&self.0.outside, CloneFlags::CLONE_NEWNET);
    }
}

/// The index of the interface, which is created with its peer if it is not there.
fn ensure_interface(name: &str, kind: InfoKind) -> io::Result<u32> {
    if let Ok(index) = if_nametoindex(name) {
        return Ok(index);
    }
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
    ];
    let new = NLM_F_CREATE | NLM_F_EXCL;
    request_route_change(RouteNetlinkMessage::NewLink(link), new)?;
    Ok(if_nametoindex(name)?)
}
