//! Traffic control: filters and actions, and their successors without a queueing discipline, tcx
//! and netkit.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;

use libbpf_sys::{
    BPF_TC_EGRESS, BPF_TC_INGRESS, BPF_TCX_EGRESS, BPF_TCX_INGRESS, bpf_tc_attach_point,
    bpf_tc_hook, bpf_tc_opts,
};
use nix::libc;
use plan::load::AttachResult;

use super::bpf::{check, create_link, link_options};
use super::network::Network;
use super::refusal::{lack_module, refuse};
use super::request::AttachRequest;
use super::running_kernel::{RunningKernel, name_attach_type};
use super::section_name::SectionName;

pub fn attach_classifier(
    kernel: &RunningKernel,
    network: &mut Network,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let inside = network.enter()?;
    match (section.kind, request.expected_attach_type) {
        ("tcx", attach_type) => {
            let interface = inside.veth()?;
            attach_to_interface(kernel, request, interface, attach_type)
        }
        ("netkit", attach_type) => {
            let interface = inside.netkit(&name_attach_type(attach_type))?;
            attach_to_interface(kernel, request, interface, attach_type)
        }
        _ => {
            let is_egress = section
                .place
                .is_some_and(|place| place.starts_with("egress"));
            let (point, attach_type) = if is_egress {
                (BPF_TC_EGRESS, BPF_TCX_EGRESS)
            } else {
                (BPF_TC_INGRESS, BPF_TCX_INGRESS)
            };
            let interface = inside.veth()?;
            match Filter::attach(request, interface, point) {
                Ok(filter) => filter.detach(),
                // Kernels that have tcx have it built in, and attach the same programs with it.
                Err(without_module @ AttachResult::NotTried { .. }) => {
                    attach_to_interface(kernel, request, interface, attach_type)
                        .map_err(|_| without_module)
                }
                Err(refused) => Err(refused),
            }
        }
    }
}

fn attach_to_interface(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    interface: u32,
    attach_type: u32,
) -> Result<(), AttachResult> {
    create_link(
        request.program,
        interface as i32,
        attach_type,
        &link_options(),
    )
    .map_err(|error| {
        kernel.refuse_attach_type(attach_type, "cannot attach to an interface", &error)
    })?;
    Ok(())
}

/// A filter on the queueing discipline `clsact`.
struct Filter {
    hook: bpf_tc_hook,
    filter: bpf_tc_opts,
}

impl Filter {
    fn attach(
        request: &AttachRequest<'_>,
        interface: u32,
        point: bpf_tc_attach_point,
    ) -> Result<Self, AttachResult> {
        let mut hook = bpf_tc_hook {
            sz: mem::size_of::<bpf_tc_hook>() as u64,
            ifindex: interface as i32,
            attach_point: BPF_TC_INGRESS | BPF_TC_EGRESS,
            ..bpf_tc_hook::default()
        };
        let mut filter = bpf_tc_opts {
            sz: mem::size_of::<bpf_tc_opts>() as u64,
            prog_fd: request.program.as_raw_fd(),
            ..bpf_tc_opts::default()
        };
        // SAFETY: it only reads the hook.
        check(unsafe { libbpf_sys::bpf_tc_hook_create(&raw mut hook) })
            .map_err(|error| explain("sch_ingress", "cannot add the discipline clsact", &error))?;
        hook.attach_point = point;
        // SAFETY: it reads the hook, and writes the filter's numbers.
        let attached =
            check(unsafe { libbpf_sys::bpf_tc_attach(&raw const hook, &raw mut filter) });
        let filter = Self { hook, filter };
        if let Err(error) = attached {
            filter.remove_discipline()?;
            return Err(explain("cls_bpf", "cannot add the filter", &error));
        }
        Ok(filter)
    }

    fn detach(mut self) -> Result<(), AttachResult> {
        self.filter.prog_fd = 0;
        self.filter.prog_id = 0;
        self.filter.flags = 0;
        // SAFETY: it only reads both.
        check(unsafe { libbpf_sys::bpf_tc_detach(&raw const self.hook, &raw const self.filter) })
            .map_err(|error| refuse(None, "cannot remove the filter", error))?;
        self.remove_discipline()
    }

    fn remove_discipline(&self) -> Result<(), AttachResult> {
        let mut hook = self.hook;
        hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
        // SAFETY: it only reads the hook.
        check(unsafe { libbpf_sys::bpf_tc_hook_destroy(&raw mut hook) })
            .map_err(|error| refuse(None, "cannot remove the discipline clsact", error))
    }
}

/// The kernel does not find what is in a module that is not loaded.
fn explain(module: &str, what: &str, error: &io::Error) -> AttachResult {
    match error.raw_os_error() {
        Some(libc::ENOENT) => lack_module(module),
        _ => refuse(None, what, error),
    }
}
