//! XDP: on an interface, natively or generically, or on the entries of a map.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_sys::{
    BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_DEVMAP, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE,
    bpf_cpumap_val, bpf_cpumap_val__bindgen_ty_1, bpf_devmap_val, bpf_devmap_val__bindgen_ty_1,
};
use plan::load::AttachResult;

use super::bpf::{create_link, create_map, link_options, set_entry};
use super::network::Network;
use super::refusal::{not_tried, refuse};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;

pub fn attach_xdp(
    kernel: &RunningKernel,
    network: &mut Network,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let inside = network.enter()?;
    let interface = inside.veth()?;
    match request.expected_attach_type {
        libbpf_sys::BPF_XDP_DEVMAP => put_into_devmap(request, interface),
        libbpf_sys::BPF_XDP_CPUMAP => put_into_cpumap(request),
        _ => attach_to_interface(kernel, request, interface),
    }
}

/// As drivers do it, and if this one refuses, before the network stack, as drivers without XDP
/// need it.
fn attach_to_interface(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    interface: u32,
) -> Result<(), AttachResult> {
    let attach = |mode, what| {
        let mut options = link_options();
        options.flags = mode;
        let attach_type = libbpf_sys::BPF_XDP;
        create_link(request.program, interface as i32, attach_type, &options)
            .map_err(|error| kernel.refuse_attach_type(attach_type, what, &error))
    };
    let Err(native) = attach(XDP_FLAGS_DRV_MODE, "cannot attach to an interface") else {
        return Ok(());
    };
    match attach(XDP_FLAGS_SKB_MODE, "cannot attach to an interface") {
        Ok(_) => Ok(()),
        Err(_) => Err(native),
    }
}

/// The program runs for each frame that is redirected to the entry's interface.
fn put_into_devmap(request: &AttachRequest<'_>, interface: u32) -> Result<(), AttachResult> {
    let value = bpf_devmap_val {
        ifindex: interface,
        bpf_prog: bpf_devmap_val__bindgen_ty_1 {
            fd: request.program.as_raw_fd(),
        },
    };
    put_into(BPF_MAP_TYPE_DEVMAP, "a device map", &value)
}

/// The program runs for each frame that is redirected to the entry's CPU.
fn put_into_cpumap(request: &AttachRequest<'_>) -> Result<(), AttachResult> {
    const FRAMES: u32 = 16;
    let value = bpf_cpumap_val {
        qsize: FRAMES,
        bpf_prog: bpf_cpumap_val__bindgen_ty_1 {
            fd: request.program.as_raw_fd(),
        },
    };
    put_into(BPF_MAP_TYPE_CPUMAP, "a CPU map", &value)
}

/// Closing the map takes the program out.
fn put_into<V>(kind: u32, name: &str, value: &V) -> Result<(), AttachResult> {
    let map = create_map(kind, size_of::<V>())
        .map_err(|error| not_tried(format!("cannot create {name}: {error}")))?;
    set_entry(map.as_fd(), value)
        .map_err(|error| refuse(None, &format!("cannot put it into {name}"), error))
}
