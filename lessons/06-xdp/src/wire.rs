//! One end of a cable: sends frames as they are, and gets those that arrive (packet(7)).

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use crate::interface::Interface;

/// The longest frame on an interface with an MTU of 1,500, and more.
const FRAME: usize = 2048;

pub struct Wire {
    socket: OwnedFd,
    name: String,
}

impl Wire {
    pub fn open(interface: &Interface) -> Result<Self> {
        let name = interface.name.clone();
        // Without a protocol it gets nothing, until it is bound to its interface.
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )
        .context("open a packet socket")?;
        bind(&socket, interface.index)
            .with_context(|| format!("bind a packet socket to {name}"))?;
        Ok(Self { socket, name })
    }

    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(&self.socket, frame, SendFlags::empty())
            .with_context(|| format!("send a frame on {}", self.name))?;
        Ok(())
    }

    /// The first frame that is wanted. Others may come first: they are not ours.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut frame = [0; FRAME];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would mean for ever.
            let left = left.max(Duration::from_millis(1));
            set_socket_timeout(&self.socket, Timeout::Recv, Some(left))
                .context("set a time limit")?;
            match recv(&self.socket, &mut frame, RecvFlags::empty()) {
                Ok((length, _)) if wanted(&frame[..length]) => return Ok(frame[..length].to_vec()),
                Ok(_) | Err(rustix::io::Errno::INTR) if Instant::now() < deadline => {}
                Ok(_) => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut))
                        .with_context(|| self.waited());
                }
                Err(error) => return Err(error).with_context(|| self.waited()),
            }
        }
    }

    fn waited(&self) -> String {
        format!("wait for a frame on {}", self.name)
    }
}

fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: all fields are integers, which may be zero.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is of the size that is given; the kernel copies it.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
