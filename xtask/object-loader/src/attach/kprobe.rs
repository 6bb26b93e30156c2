//! Kprobes: on any function, at its start, at its return, or at an instruction in it.

use std::io;

use nix::libc;
use plan::load::{AttachResult, MissingKind};

use super::perf_event::{
    attach_to_event, describe_event, open_event, read_event_kind, read_return_bit,
};
use super::refusal::{missing, need_target, refuse, text};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;
use super::section_name::{FunctionPlace, SectionName};

pub fn attach_kprobe(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let Some(place) = section.place else {
        return Err(need_target("its section names no function"));
    };
    let Some(place) = FunctionPlace::parse(place) else {
        return Err(need_target(format!(
            "{place} is no function with an offset"
        )));
    };
    attach_at(kernel, request, &place, section.kind == "kretprobe")
}

/// The function of a system call, by the call's name.
pub fn attach_system_call(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let Some(call) = section.place else {
        return Err(need_target("its section names no system call"));
    };
    let place = FunctionPlace {
        module: None,
        function: &format!("{SYSTEM_CALL}{call}"),
        offset: 0,
    };
    attach_at(kernel, request, &place, section.kind == "kretsyscall")
}

/// What comes before the name of a system call in that of its function.
const SYSTEM_CALL: &str = if cfg!(target_arch = "aarch64") {
    "__arm64_sys_"
} else {
    "__x64_sys_"
};

fn attach_at(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    place: &FunctionPlace<'_>,
    at_return: bool,
) -> Result<(), AttachResult> {
    let function = match place.module {
        Some(module) => text(&format!("{module}:{}", place.function))?,
        None => text(place.function)?,
    };
    let config = if at_return {
        read_return_bit("kprobe")?
    } else {
        0
    };
    let mut event = describe_event(read_event_kind("kprobe")?, config);
    event.__bindgen_anon_3.kprobe_func = function.as_ptr() as u64;
    event.__bindgen_anon_4.probe_offset = place.offset;
    let opened = open_event(&event).map_err(|error| explain(kernel, place, &error))?;
    attach_to_event(request.program, opened)
}

fn explain(kernel: &RunningKernel, place: &FunctionPlace<'_>, error: &io::Error) -> AttachResult {
    let what = format!("cannot put a kprobe on {place}");
    if error.raw_os_error() == Some(libc::EILSEQ) {
        return refuse(None, &format!("{what}: no instruction begins there"), error);
    }
    let mut lacks = kernel.missing_function(place.module, place.function);
    // That is what the kernel says of functions on its list of those that may not be probed.
    if lacks.is_none() && place.offset == 0 && error.raw_os_error() == Some(libc::EINVAL) {
        lacks = Some(missing(MissingKind::TraceableFunction, place.function));
    }
    refuse(lacks, &what, error)
}
