//! Actions of traffic control. One can be made without a filter that names it.

use std::os::fd::AsRawFd;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcActionMessage, TcActionMessageAttribute};
use nix::libc;
use plan::load::AttachResult;

use super::netlink::{nest, number_attribute, request_route_change, text_attribute};
use super::network::Network;
use super::refusal::{lack_module, refuse};
use super::request::AttachRequest;

/// From `linux/pkt_cls.h` and `linux/tc_act/tc_bpf.h`.
const TCA_ACT_TAB: u16 = 1;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_ACT_INDEX: u16 = 3;
const TCA_ACT_BPF_PARMS: u16 = 2;
const TCA_ACT_BPF_FD: u16 = 5;
const TCA_ACT_BPF_NAME: u16 = 6;

/// Of the only action of this namespace.
const INDEX: u32 = 1;

pub fn attach_action(
    network: &mut Network,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let _inside = network.enter()?;
    let options = nest(
        TCA_ACT_OPTIONS,
        &[
            // The other fields of `struct tc_act_bpf`, four bytes each, are 0.
            DefaultNla::new(
                TCA_ACT_BPF_PARMS,
                [INDEX, 0, 0, 0, 0].map(u32::to_ne_bytes).concat(),
            ),
            number_attribute(TCA_ACT_BPF_FD, request.program.as_raw_fd() as u32),
            text_attribute(TCA_ACT_BPF_NAME, request.name),
        ],
    );
    let new = RouteNetlinkMessage::NewTrafficAction(describe_action(options));
    request_route_change(new, NLM_F_CREATE | NLM_F_EXCL).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::ENOENT) => lack_module("act_bpf"),
            _ => refuse(None, "cannot create the action", error),
        }
    })?;
    let index = number_attribute(TCA_ACT_INDEX, INDEX);
    request_route_change(
        RouteNetlinkMessage::DelTrafficAction(describe_action(index)),
        0,
    )
    .map_err(|error| refuse(None, "cannot remove the action", error))
}

fn describe_action(attribute: DefaultNla) -> TcActionMessage {
    const FIRST: u16 = 1;
    let action = nest(FIRST, &[text_attribute(TCA_ACT_KIND, "bpf"), attribute]);
    let mut message = TcActionMessage::default();
    message.attributes = vec![TcActionMessageAttribute::Other(nest(
        TCA_ACT_TAB,
        &[action],
    ))];
    message
}
