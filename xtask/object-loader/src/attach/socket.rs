//! Programs of single sockets, and of maps of sockets.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;

use libbpf_sys::BPF_MAP_TYPE_SOCKMAP;
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use plan::load::{AttachResult, MissingKind};

use super::bpf::{attach_to, create_map, detach_from};
use super::refusal::{missing, not_tried, refuse};
use super::request::AttachRequest;
use super::running_kernel::{RunningKernel, name_attach_type};

/// A filter is attached until the socket is closed.
pub fn attach_socket_filter(request: &AttachRequest<'_>) -> Result<(), AttachResult> {
    set_program(&open_socket()?, libc::SO_ATTACH_BPF, request)
}

/// It chooses among sockets that share a port.
pub fn attach_reuseport(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let attach_type = request.expected_attach_type;
    // An old kernel does not look at the type, and never calls the program for what it is for.
    if attach_type == libbpf_sys::BPF_SK_REUSEPORT_SELECT_OR_MIGRATE
        && kernel.lacks_attach_type(attach_type)
    {
        let missing = missing(MissingKind::AttachType, name_attach_type(attach_type));
        let error = "this kernel moves connections without asking a program";
        return Err(refuse(Some(missing), "cannot attach to a socket", error));
    }
    let socket = open_socket()?;
    setsockopt(&socket, sockopt::ReusePort, &true)
        .map_err(|error| not_tried(format!("cannot share a socket's port: {error}")))?;
    set_program(&socket, libc::SO_ATTACH_REUSEPORT_EBPF, request)
}

fn open_socket() -> Result<OwnedFd, AttachResult> {
    socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(|error| not_tried(format!("cannot open a socket: {error}")))
}

fn set_program(
    socket: &OwnedFd,
    option: libc::c_int,
    request: &AttachRequest<'_>,
) -> Result<(), AttachResult> {
    let program = request.program.as_raw_fd();
    // SAFETY: the option's value is a descriptor, which is alive.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&program).cast(),
            mem::size_of_val(&program) as libc::socklen_t,
        )
    };
    if set < 0 {
        let error = io::Error::last_os_error();
        return Err(refuse(None, "cannot attach to a socket", error));
    }
    Ok(())
}

/// It runs for the sockets in a map.
pub fn attach_to_socket_map(
    kernel: &RunningKernel,
    request: &AttachRequest<'_>,
    attach_type: u32,
) -> Result<(), AttachResult> {
    let map = create_map(BPF_MAP_TYPE_SOCKMAP, mem::size_of::<u32>())
        .map_err(|error| not_tried(format!("cannot create a map of sockets: {error}")))?;
    attach_to(request.program, map.as_fd(), attach_type).map_err(|error| {
        kernel.refuse_attach_type(attach_type, "cannot attach to a map of sockets", &error)
    })?;
    detach_from(request.program, map.as_fd(), attach_type)
        .map_err(|error| refuse(None, "cannot detach from a map of sockets", error))
}
