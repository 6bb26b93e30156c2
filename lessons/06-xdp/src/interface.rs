//! A network interface, and the XDP program that may be on it already.

use std::io;

use anyhow::{Context as _, Result};
use common::NotReady;
use libbpf_rs::ProgramHandle;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, State, XdpAttached};

use crate::netlink::Netlink;

#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    /// The kernel says that it can carry frames.
    pub is_up: bool,
    /// How the program on it is run.
    pub attached: XdpAttached,
    program: Option<u32>,
}

impl Interface {
    pub fn find(name: &str) -> Result<Self> {
        let mut question = LinkMessage::default();
        question
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let answer = Netlink::open()?.ask(RouteNetlinkMessage::GetLink(question), 0);
        match answer {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(Self::read(name, &link)),
            Ok(_) => Err(missing(name).into()),
            Err(error) if is_unknown_name(&error) => Err(missing(name).into()),
            Err(error) => Err(error).with_context(|| format!("look up interface {name}")),
        }
    }

    fn read(name: &str, link: &LinkMessage) -> Self {
        let mut interface = Self {
            name: name.to_owned(),
            index: link.header.index,
            is_up: false,
            attached: XdpAttached::None,
            program: None,
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
                    self.program = Some(*id);
                }
                _ => {}
            }
        }
    }

    /// The kernel's word for how the program on it is run.
    pub fn attached_name(&self) -> &'static str {
        match self.attached {
            XdpAttached::Driver => "native",
            XdpAttached::SocketBuffer => "generic",
            XdpAttached::Hardware => "hardware",
            XdpAttached::Multiple => "more than one",
            _ => "no",
        }
    }

    /// The program that is on it, by name and number.
    pub fn program(&self) -> Option<String> {
        let id = self.program?;
        let name = ProgramHandle::from_prog_id(id)
            .map(|program| program.name().as_encoded_bytes().to_vec());
        let name = name.map_or("?".to_owned(), |name| common::text::printable(&name));
        Some(format!("{name} (program {id})"))
    }
}

/// A name that is too long to be one gets an error of its own: ERANGE.
fn is_unknown_name(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ERANGE))
}

fn missing(name: &str) -> NotReady {
    let name = common::text::printable(name.as_bytes());
    let problem = NotReady::new(format!("find interface '{name}': there is none"));
    match nix::net::if_::if_nameindex() {
        Ok(all) => {
            let names: Vec<_> = all
                .iter()
                .map(|one| one.name().to_string_lossy().into_owned())
                .collect();
            problem.help(format!("--interface takes {}", names.join(", ")))
        }
        Err(_) => problem,
    }
}
