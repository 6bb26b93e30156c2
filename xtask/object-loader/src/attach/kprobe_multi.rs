//! Kprobes on many functions at once, by a pattern; ftrace makes them.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::OwnedFd;

use libbpf_sys::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 as KprobeMulti;
use nix::libc;
use plan::load::AttachResult;

use super::bpf::{NO_TARGET, create_link, link_options};
use super::pattern::Pattern;
use super::refusal::{need_target, refuse, text};
use super::request::AttachRequest;
use super::running_kernel::RunningKernel;
use super::section_name::SectionName;
use super::symbols::TraceableFunctions;

pub fn attach_kprobe_multi(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let Some(functions) = section.place else {
        return Err(need_target("its section names no functions"));
    };
    let attach_type = match section.kind {
        "kprobe.session" => libbpf_sys::BPF_TRACE_KPROBE_SESSION,
        _ => libbpf_sys::BPF_TRACE_KPROBE_MULTI,
    };
    let flags = match section.kind {
        "kretprobe.multi" => libbpf_sys::BPF_F_KPROBE_MULTI_RETURN,
        _ => 0,
    };
    let wanted = if Pattern::new(functions).has_wildcards() {
        TraceableFunctions::find(functions)
    } else {
        TraceableFunctions::Named(vec![functions.to_owned()])
    };
    link(request, attach_type, flags, &wanted)?
        .map_err(|error| explain(kernel, attach_type, functions, &error))?;
    Ok(())
}

fn link(
    request: &AttachRequest<'_>,
    attach_type: u32,
    flags: u32,
    functions: &TraceableFunctions,
) -> Result<io::Result<OwnedFd>, AttachResult> {
    let mut multi = KprobeMulti {
        flags,
        ..KprobeMulti::default()
    };
    let (texts, mut names): (Vec<CString>, Vec<*const c_char>);
    match functions {
        TraceableFunctions::At(addresses) => {
            multi.cnt = addresses.len() as u32;
            multi.addrs = addresses.as_ptr();
        }
        TraceableFunctions::Named(functions) => {
            texts = functions
                .iter()
                .map(|name| text(name))
                .collect::<Result<_, _>>()?;
            names = texts.iter().map(|name| name.as_ptr()).collect();
            multi.cnt = names.len() as u32;
            multi.syms = names.as_mut_ptr();
        }
    }
    let mut options = link_options();
    options.__bindgen_anon_1.kprobe_multi = multi;
    Ok(create_link(
        request.program,
        NO_TARGET,
        attach_type,
        &options,
    ))
}

/// A kernel that does not know the type refuses any functions; one that knows it refuses none of
/// them with "invalid argument", and names that it cannot trace.
fn explain(
    kernel: &RunningKernel,
    attach_type: u32,
    functions: &str,
    error: &io::Error,
) -> AttachResult {
    let what = format!("cannot put kprobes on {functions}");
    let is_type = error.raw_os_error() == Some(libc::EOPNOTSUPP);
    if is_type || kernel.lacks_attach_type(attach_type) {
        return kernel.refuse_attach_type(attach_type, &what, error);
    }
    refuse(kernel.missing_function(None, functions), &what, error)
}
