//! Hooks of a whole network namespace.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_5 as Netfilter;
use nix::libc;
use plan::load::AttachResult;

use super::bpf::{NO_TARGET, create_link, link_options};
use super::network::Network;
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;

/// Lookups of sockets, and the flow dissector.
pub fn attach_to_namespace(
    kernel: &RunningKernel,
    network: &mut Network,
    request: &AttachRequest<'_>,
    attach_type: u32,
) -> Result<(), AttachResult> {
    let inside = network.enter()?;
    let target = inside.descriptor().as_fd().as_raw_fd();
    create_link(request.program, target, attach_type, &link_options()).map_err(|error| {
        let what = "cannot attach to a network namespace";
        kernel.refuse_attach_type(attach_type, what, &error)
    })?;
    Ok(())
}

/// A place among netfilter's hooks. User space chooses it; this one has no demands.
pub fn attach_netfilter(
    kernel: &RunningKernel,
    network: &mut Network,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let _inside = network.enter()?;
    let attach_type = libbpf_sys::BPF_NETFILTER;
    let mut options = link_options();
    options.__bindgen_anon_1.netfilter = Netfilter {
        pf: libc::NFPROTO_IPV4 as u32,
        hooknum: libc::NF_INET_LOCAL_IN as u32,
        priority: libc::NF_IP_PRI_FILTER,
        flags: 0,
    };
    create_link(request.program, NO_TARGET, attach_type, &options).map_err(|error| {
        kernel.refuse_attach_type(attach_type, "cannot attach to netfilter", &error)
    })?;
    Ok(())
}
