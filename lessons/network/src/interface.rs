//! A network interface, and the XDP program that is attached to it.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Error, Result};
use clap::ValueEnum;
use common::{NotReady, text};
use libbpf_rs::{ProgramHandle, TC_EGRESS, TC_INGRESS, TcAttachPoint, TcHook, TcHookBuilder};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, State, XdpAttached};
use nix::libc;

use crate::netlink::Netlink;

/// Where in the kernel an XDP program runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// In the network driver, before the kernel has allocated anything for the frame
    #[default]
    Native,
    /// In the kernel, after the driver has built an skb: slower, but works with any driver
    Generic,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// Of what a program in tc sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// What comes in
    Ingress,
    /// What goes out
    Egress,
}

#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    /// The kernel says that it can carry frames.
    pub is_up: bool,
    attached: XdpAttached,
    program_id: Option<u32>,
}

impl Interface {
    /// Fails with `NotReady`, which lists the interfaces, if there is none of this name.
    pub fn find_interface(name: &str) -> Result<Self> {
        let mut request = LinkMessage::default();
        request
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let answer = Netlink::open()?.send_request(RouteNetlinkMessage::GetLink(request), 0);
        match answer {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(Self::read(name, &link)),
            Ok(_) => Err(missing(name).into()),
            Err(error) if is_unknown_name(&error) => Err(missing(name).into()),
            Err(error) => Err(error).with_context(|| format!("cannot find the interface {name}")),
        }
    }

    fn read(name: &str, link: &LinkMessage) -> Self {
        let mut interface = Self {
            name: name.to_owned(),
            index: link.header.index,
            is_up: false,
            attached: XdpAttached::None,
            program_id: None,
        };
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::OperState(state) => interface.is_up = *state == State::Up,
                LinkAttribute::Xdp(facts) => interface.read_xdp(facts),
                _ => {}
            }
        }
        interface
    }

    fn read_xdp(&mut self, facts: &[LinkXdp]) {
        for fact in facts {
            match fact {
                LinkXdp::Attached(attached) => self.attached = *attached,
                LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) => {
                    self.program_id = Some(*id);
                }
                _ => {}
            }
        }
    }

    /// In which mode the kernel says that the attached program runs.
    pub fn mode_name(&self) -> &'static str {
        match self.attached {
            XdpAttached::Driver => "native",
            XdpAttached::SocketBuffer => "generic",
            XdpAttached::Hardware => "hardware",
            XdpAttached::Multiple => "more than one",
            _ => "no",
        }
    }

    /// The attached program, by name and id.
    fn program(&self) -> Option<String> {
        let id = self.program_id?;
        let name = match ProgramHandle::from_prog_id(id) {
            Ok(program) => text::printable(program.name().as_encoded_bytes()),
            Err(_) => "?".to_owned(),
        };
        Some(format!("{name} (program {id})"))
    }

    // ANCHOR: link
    /// Attaches an XDP program until the link, a file descriptor, is closed. `attach_xdp` of
    /// libbpf-rs does the same, but has no parameter for the mode.
    pub fn create_xdp_link(&self, program: BorrowedFd<'_>, mode: Mode) -> io::Result<OwnedFd> {
        let flags = match mode {
            Mode::Native => libbpf_sys::XDP_FLAGS_DRV_MODE,
            Mode::Generic => libbpf_sys::XDP_FLAGS_SKB_MODE,
        };
        self.create_link(program, libbpf_sys::BPF_XDP, flags)
    }

    /// `kind` is the type of the hook, as in `enum bpf_attach_type`.
    fn create_link(&self, program: BorrowedFd<'_>, kind: u32, flags: u32) -> io::Result<OwnedFd> {
        let options = libbpf_sys::bpf_link_create_opts {
            sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
            flags,
            ..Default::default()
        };
        let (program, ifindex) = (program.as_raw_fd(), self.index.cast_signed());
        // SAFETY: libbpf reads the options, whose size is in them.
        let fd = unsafe { libbpf_sys::bpf_link_create(program, ifindex, kind, &raw const options) };
        if fd < 0 {
            return Err(io::Error::from_raw_os_error(-fd));
        }
        // SAFETY: the file descriptor is new, so nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
    // ANCHOR_END: link

    /// Attaches a program of tc until the link is closed. libbpf-rs 0.27 has no method for that.
    /// `None` if the kernel has no such links: they came with Linux 6.6.
    pub fn create_tcx_link(
        &self,
        program: BorrowedFd<'_>,
        direction: Direction,
    ) -> io::Result<Option<OwnedFd>> {
        let kind = match direction {
            Direction::Ingress => libbpf_sys::BPF_TCX_INGRESS,
            Direction::Egress => libbpf_sys::BPF_TCX_EGRESS,
        };
        match self.create_link(program, kind, 0) {
            Ok(link) => Ok(Some(link)),
            // The kernel does not know this type of hook.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(None),
            Err(error) => Err(error),
        }
    }

    // ANCHOR: filter
    /// Filters belong to a queueing discipline. This one has both directions.
    pub fn add_clsact(&self, program: BorrowedFd<'_>) -> libbpf_rs::Result<()> {
        let mut hook = self.filter_hook(program, TC_INGRESS | TC_EGRESS);
        hook.create()?;
        Ok(())
    }

    /// Attaches a program of tc as a filter, for kernels without links.
    pub fn attach_filter(
        &self,
        program: BorrowedFd<'_>,
        direction: Direction,
    ) -> libbpf_rs::Result<TcFilter> {
        let mut hook = match direction {
            Direction::Ingress => self.filter_hook(program, TC_INGRESS),
            Direction::Egress => self.filter_hook(program, TC_EGRESS),
        };
        Ok(TcFilter(hook.attach()?))
    }

    fn filter_hook(&self, program: BorrowedFd<'_>, point: TcAttachPoint) -> TcHook {
        let mut builder = TcHookBuilder::new(program);
        builder.ifindex(self.index.cast_signed()).hook(point)
    }
    // ANCHOR_END: filter

    /// Says why an XDP program could not be attached, and what to do, where the kernel's number
    /// alone does not help.
    pub fn explain_attach_error(&self, error: Error, mode: Mode) -> Error {
        let name = &self.name;
        let what = format!("cannot attach to {name} in {} mode", mode.name());
        let help = "--mode generic works with any driver";
        match find_errno(&error) {
            // EEXIST: there is a program, in the other mode.
            Some(libc::EBUSY | libc::EEXIST) => self.explain_busy(&what).into(),
            Some(libc::EOPNOTSUPP) if mode == Mode::Native => {
                NotReady::new(format!("{what}: its driver cannot run XDP programs"))
                    .help(help)
                    .into()
            }
            Some(libc::ERANGE | libc::EINVAL | libc::ENOSPC) if mode == Mode::Native => {
                let why = "its driver refuses, because of its MTU or its queues";
                NotReady::new(format!("{what}: {why}: {error:#}"))
                    .help(format!("ip link set {name} mtu 1500"))
                    .help(help)
                    .into()
            }
            _ => error.context(what),
        }
    }

    fn explain_busy(&self, what: &str) -> NotReady {
        // The other program may have been attached after `self` was read.
        let program = Self::find_interface(&self.name)
            .ok()
            .and_then(|interface| interface.program());
        let program = program.unwrap_or_else(|| "another XDP program".to_owned());
        let name = &self.name;
        NotReady::new(format!("{what}: {program} is already attached"))
            .help("bpftool net shows it; end the program that attached it")
            .help(format!(
                "ip link set {name} xdp off, if 'ip link' attached it"
            ))
    }
}

/// A filter that this process has attached. It is not a link: if the process is killed, the filter
/// stays.
pub struct TcFilter(TcHook);

impl Drop for TcFilter {
    fn drop(&mut self) {
        // The interface may be gone, and its filters with it.
        let _ = self.0.detach();
    }
}

/// The error number from the kernel, wherever it is in the chain of causes.
fn find_errno(error: &Error) -> Option<i32> {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return error.raw_os_error();
        }
    }
    None
}

/// ERANGE: the name is longer than a name can be.
fn is_unknown_name(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ERANGE))
}

fn missing(name: &str) -> NotReady {
    let name = text::printable(name.as_bytes());
    let problem = NotReady::new(format!("cannot find the interface '{name}': there is none"));
    let Ok(interfaces) = nix::net::if_::if_nameindex() else {
        return problem;
    };
    let mut names = Vec::new();
    for interface in &interfaces {
        names.push(interface.name().to_string_lossy().into_owned());
    }
    problem.help(format!("the interfaces are {}", names.join(", ")))
}
