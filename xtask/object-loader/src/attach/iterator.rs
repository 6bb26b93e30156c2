//! Iterators: attached, and made ready to be read.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_sys::{
    BPF_CGROUP_ITER_SELF_ONLY, bpf_iter_link_info,
    bpf_iter_link_info__bindgen_ty_2 as CgroupParameters,
};
use plan::load::AttachResult;

use super::bpf::{create_iterator, create_iterator_link};
use super::control_group::ControlGroup;
use super::refusal::{need_target, refuse};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;
use super::section_name::SectionName;

/// These walk over the elements of a map that user space names.
const OF_A_MAP: [&str; 3] = ["bpf_map_elem", "bpf_sk_storage_map", "sockmap"];

pub fn attach_iterator(
    kernel: &RunningKernel,
    control_group: &mut ControlGroup,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let over = section.place.unwrap_or_default();
    if OF_A_MAP.contains(&over) {
        return Err(need_target(format!(
            "an iterator over {over} needs a map, which user space names"
        )));
    }
    let mut parameters = None;
    if over == "cgroup" {
        parameters = Some(bpf_iter_link_info {
            cgroup: CgroupParameters {
                order: BPF_CGROUP_ITER_SELF_ONLY,
                cgroup_fd: control_group.descriptor()?.as_raw_fd() as u32,
                ..CgroupParameters::default()
            },
        });
    }
    let attach_type = libbpf_sys::BPF_TRACE_ITER;
    let link = create_iterator_link(request.program, parameters).map_err(|error| {
        kernel.refuse_attach_type(attach_type, "cannot create the iterator's link", &error)
    })?;
    create_iterator(link.as_fd())
        .map_err(|error| refuse(None, "cannot create the iterator", error))?;
    Ok(())
}
