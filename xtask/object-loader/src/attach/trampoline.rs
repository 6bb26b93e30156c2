//! Programs that know since their load where they belong: fentry and its kin, BTF tracepoints,
//! LSM hooks, replacements of another program's function.

use nix::libc;
use plan::load::{AttachResult, MissingKind};

use super::bpf::open_raw_tracepoint;
use super::refusal::{missing, refuse};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;
use super::section_name::{FunctionPlace, SectionName};

pub fn attach_trampoline(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    // Some deny what they are asked for, all of it: the link must not live any longer.
    let error = match open_raw_tracepoint(request.program, None) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let what = "cannot attach it where it was loaded for";
    let place = section.place.and_then(FunctionPlace::parse);
    let Some(place) = place else {
        return Err(kernel.refuse_attach_type(request.expected_attach_type, what, &error));
    };
    let missing = match request.expected_attach_type {
        libbpf_sys::BPF_TRACE_RAW_TP if error.raw_os_error() == Some(libc::ENOENT) => {
            Some(missing(MissingKind::RawTracepoint, place.function))
        }
        libbpf_sys::BPF_TRACE_FENTRY
        | libbpf_sys::BPF_TRACE_FEXIT
        | libbpf_sys::BPF_TRACE_FSESSION
        | libbpf_sys::BPF_MODIFY_RETURN => kernel.missing_function(place.module, place.function),
        _ => None,
    };
    Err(match missing {
        Some(_) => refuse(missing, what, error),
        None => kernel.refuse_attach_type(request.expected_attach_type, what, &error),
    })
}
