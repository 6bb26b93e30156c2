//! Uprobes: on functions of programs and libraries of user space, and on their static tracepoints.

use std::ptr;

use libbpf_sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_3 as UprobeMulti;
use plan::load::AttachResult;

use super::bpf::{NO_TARGET, create_link, link_options};
use super::executable::{Executable, StaticTracepoint};
use super::pattern::Pattern;
use super::perf_event::{
    attach_to_event, describe_event, open_event, read_event_kind, read_return_bit,
};
use super::refusal::{need_target, refuse, text};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;
use super::section_name::{SectionName, split_offset};

pub fn attach_uprobe(
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let (path, place) = split_place(section)?;
    let executable = Executable::find(path)?;
    // A plus may be a part of the name.
    let (function, offset) = split_offset(place).unwrap_or((place, 0));
    let at_return = section.kind.starts_with("uretprobe");
    if at_return && offset != 0 {
        return Err(refuse(
            None,
            place,
            "the return of a function has no offset",
        ));
    }
    let place = StaticTracepoint {
        offset: executable.function_offset(function)? + offset,
        semaphore: 0,
    };
    attach_at(request, &executable, &place, at_return)
}

/// `PATH:PROVIDER:NAME`
pub fn attach_static_tracepoint(
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let (path, place) = split_place(section)?;
    let Some((provider, name)) = place.split_once(':') else {
        return Err(need_target(format!("{place} is no PROVIDER:NAME")));
    };
    let executable = Executable::find(path)?;
    for place in executable.static_tracepoints(provider, name)? {
        attach_at(request, &executable, &place, false)?;
    }
    Ok(())
}

fn split_place(section: SectionName<'_>) -> Result<(&str, &str), AttachResult> {
    let Some(place) = section.place else {
        return Err(need_target("its section names no program to put it into"));
    };
    place
        .split_once(':')
        .ok_or_else(|| need_target(format!("its section names {place}, and no function in it")))
}

fn attach_at(
    request: &AttachRequest<'_>,
    executable: &Executable,
    place: &StaticTracepoint,
    at_return: bool,
) -> Result<(), AttachResult> {
    /// Where the semaphore's place in the file begins in an event's configuration.
    const SEMAPHORE_SHIFT: u32 = 32;
    let path = text(&executable.path.to_string_lossy())?;
    let return_bit = if at_return {
        read_return_bit("uprobe")?
    } else {
        0
    };
    let config = return_bit | place.semaphore << SEMAPHORE_SHIFT;
    let mut event = describe_event(read_event_kind("uprobe")?, config);
    event.__bindgen_anon_3.uprobe_path = path.as_ptr() as u64;
    event.__bindgen_anon_4.probe_offset = place.offset;
    let opened = open_event(&event).map_err(|error| {
        let path = executable.path.display();
        refuse(None, &format!("cannot put a uprobe into {path}"), error)
    })?;
    attach_to_event(request.program, opened)
}

/// On all functions whose names match.
pub fn attach_uprobe_multi(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let (path, functions) = split_place(section)?;
    let executable = Executable::find(path)?;
    let pattern = Pattern::new(functions);
    let offsets = executable.function_offsets(|name| pattern.matches(name.as_bytes()))?;
    if offsets.is_empty() {
        return Err(executable.lack(&format!("function {functions}")));
    }
    let attach_type = match section.kind {
        "uprobe.session" | "uprobe.session.s" => libbpf_sys::BPF_TRACE_UPROBE_SESSION,
        _ => libbpf_sys::BPF_TRACE_UPROBE_MULTI,
    };
    let path = text(&executable.path.to_string_lossy())?;
    let mut options = link_options();
    options.__bindgen_anon_1.uprobe_multi = UprobeMulti {
        flags: match section.kind {
            "uretprobe.multi" | "uretprobe.multi.s" => libbpf_sys::BPF_F_UPROBE_MULTI_RETURN,
            _ => 0,
        },
        cnt: offsets.len() as u32,
        path: path.as_ptr(),
        offsets: offsets.as_ptr(),
        ref_ctr_offsets: ptr::null(),
        cookies: ptr::null(),
        ..UprobeMulti::default()
    };
    create_link(request.program, NO_TARGET, attach_type, &options).map_err(|error| {
        let what = format!("cannot put uprobes into {}", executable.path.display());
        kernel.refuse_attach_type(attach_type, &what, &error)
    })?;
    Ok(())
}
