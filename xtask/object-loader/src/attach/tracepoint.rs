//! Tracepoints, by the events that tracefs describes; and raw tracepoints, by their own names.

use std::fs;
use std::io;
use std::path::Path;

use nix::libc;
use plan::load::{AttachResult, MissingKind};

use super::bpf::open_raw_tracepoint;
use super::perf_event::{attach_to_event, describe_event, open_event};
use super::refusal::{missing, need_target, refuse, text};
use super::request::AttachRequest;
use super::section_name::SectionName;

/// Where the kernel describes its tracepoints.
const EVENTS: &str = "/sys/kernel/tracing/events";

pub fn attach_tracepoint(
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let Some(event) = section.place else {
        return Err(need_target("its section names no tracepoint"));
    };
    // aya's first releases named only the second part.
    let Some((category, name)) = event.split_once('/') else {
        return Err(need_target(format!(
            "its section names {event} without a category, as in sched/{event}"
        )));
    };
    let path = Path::new(EVENTS).join(category).join(name).join("id");
    let what = format!("cannot open the tracepoint {event}");
    let id = fs::read_to_string(&path).map_err(|error| {
        let is_gone = error.kind() == io::ErrorKind::NotFound;
        let missing = is_gone.then(|| missing(MissingKind::Tracepoint, event));
        refuse(missing, &what, error)
    })?;
    let id = id
        .trim()
        .parse()
        .map_err(|error| refuse(None, &what, error))?;
    let opened = open_event(&describe_event(libbpf_sys::PERF_TYPE_TRACEPOINT, id))
        .map_err(|error| refuse(None, &what, error))?;
    attach_to_event(request.program, opened)
}

pub fn attach_raw_tracepoint(
    request: &AttachRequest<'_>,
    section: SectionName<'_>,
) -> Result<(), AttachResult> {
    let Some(name) = section.place else {
        return Err(need_target("its section names no tracepoint"));
    };
    let opened = open_raw_tracepoint(request.program, Some(&text(name)?));
    opened.map_err(|error| {
        let is_gone = error.raw_os_error() == Some(libc::ENOENT);
        let missing = is_gone.then(|| missing(MissingKind::RawTracepoint, name));
        refuse(
            missing,
            &format!("cannot open the raw tracepoint {name}"),
            error,
        )
    })?;
    Ok(())
}
