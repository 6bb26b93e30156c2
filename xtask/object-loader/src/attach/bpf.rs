//! The kernel's commands for attaching, as libbpf gives them, with descriptors that close
//! themselves.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libbpf_sys::{bpf_iter_link_info, bpf_link_create_opts, bpf_map_type};

/// For links whose target is not a descriptor.
pub const NO_TARGET: RawFd = 0;

/// What a link is made from, with nothing set.
pub fn link_options() -> bpf_link_create_opts {
    bpf_link_create_opts {
        sz: mem::size_of::<bpf_link_create_opts>() as u64,
        ..bpf_link_create_opts::default()
    }
}

/// The target is a descriptor, or the index of a network interface. The program is detached when
/// the link is closed.
pub fn create_link(
    program: BorrowedFd<'_>,
    target: RawFd,
    attach_type: u32,
    options: &bpf_link_create_opts,
) -> io::Result<OwnedFd> {
    // SAFETY: what the options point to is alive: whoever sets a pointer holds its target.
    own(unsafe { libbpf_sys::bpf_link_create(program.as_raw_fd(), target, attach_type, options) })
}

/// A link with an iterator's parameters.
pub fn create_iterator_link(
    program: BorrowedFd<'_>,
    parameters: Option<bpf_iter_link_info>,
) -> io::Result<OwnedFd> {
    let mut parameters = parameters;
    let mut options = link_options();
    if let Some(parameters) = &mut parameters {
        options.iter_info = parameters;
        options.iter_info_len = mem::size_of_val(parameters) as u32;
    }
    create_link(program, NO_TARGET, libbpf_sys::BPF_TRACE_ITER, &options)
}

/// Without a name for programs that know since their load where they belong.
pub fn open_raw_tracepoint(program: BorrowedFd<'_>, name: Option<&CStr>) -> io::Result<OwnedFd> {
    let name = name.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the name is null or ends with a zero.
    own(unsafe { libbpf_sys::bpf_raw_tracepoint_open(name, program.as_raw_fd()) })
}

/// What user space reads from to run an iterator.
pub fn create_iterator(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: it takes a descriptor only.
    own(unsafe { libbpf_sys::bpf_iter_create(link.as_raw_fd()) })
}

pub fn attach_to(
    program: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    attach_type: u32,
) -> io::Result<()> {
    // SAFETY: it takes descriptors and numbers only.
    check(unsafe {
        libbpf_sys::bpf_prog_attach(program.as_raw_fd(), target.as_raw_fd(), attach_type, 0)
    })
}

pub fn detach_from(
    program: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    attach_type: u32,
) -> io::Result<()> {
    // SAFETY: it takes descriptors and numbers only.
    check(unsafe {
        libbpf_sys::bpf_prog_detach2(program.as_raw_fd(), target.as_raw_fd(), attach_type)
    })
}

/// A map with one entry and keys of four bytes.
pub fn create_map(kind: bpf_map_type, value_size: usize) -> io::Result<OwnedFd> {
    const KEY_SIZE: u32 = 4;
    // SAFETY: a map needs neither a name nor options.
    own(unsafe {
        libbpf_sys::bpf_map_create(
            kind,
            ptr::null(),
            KEY_SIZE,
            value_size as u32,
            1,
            ptr::null(),
        )
    })
}

/// Sets the only entry of a map.
pub fn set_entry<V>(map: BorrowedFd<'_>, value: &V) -> io::Result<()> {
    let key = 0_u32;
    // SAFETY: the map was made for keys of four bytes and values of this type.
    check(unsafe {
        libbpf_sys::bpf_map_update_elem(
            map.as_raw_fd(),
            (&raw const key).cast(),
            ptr::from_ref(value).cast(),
            0,
        )
    })
}

/// A descriptor that libbpf returned, or an error number below zero.
pub fn own(returned: c_int) -> io::Result<OwnedFd> {
    check(returned)?;
    // SAFETY: the descriptor was just made, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(returned) })
}

pub fn check(returned: c_int) -> io::Result<()> {
    if returned < 0 {
        return Err(io::Error::from_raw_os_error(-returned));
    }
    Ok(())
}
