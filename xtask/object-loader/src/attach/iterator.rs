//! Iterators: attached, and made ready to be read.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_sys::{
    BPF_CGROUP_ITER_SELF_ONLY, bpf_iter_link_info,
    bpf_iter_link_info__bindgen_ty_1 as MapParameters,
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
    // A target names the map, not what is walked over, where the section names that.
    let written = SectionName::parse(request.section, None).place;
    let over = written.or(section.place).unwrap_or_default();
    let mut parameters = None;
    if OF_A_MAP.contains(&over) {
        parameters = Some(name_map(request, over)?);
    }
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

/// The map of the object whose elements are walked over.
fn name_map(request: &AttachRequest<'_>, over: &str) -> Result<bpf_iter_link_info, AttachResult> {
    let name = request.name;
    let Some(target) = request.target else {
        return Err(need_target(format!(
            "an iterator over {over} needs a map, which user space names: --target {name}=MAP, a \
             map of this object"
        )));
    };
    let Some(map) = request.map else {
        return Err(need_target(format!("this object has no map {target}")));
    };
    // A kernel that knows less parameters wants the others to be zero.
    let mut parameters = bpf_iter_link_info::default();
    parameters.map = MapParameters {
        map_fd: map.as_raw_fd() as u32,
    };
    Ok(parameters)
}
