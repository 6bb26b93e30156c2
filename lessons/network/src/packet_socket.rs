//! Sends whole frames out of an interface, and receives those that arrive there (packet(7)).

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd;

use crate::interface::Interface;

/// Longer than any frame on an interface with an MTU of 1,500.
const FRAME_SIZE: usize = 2048;

pub struct PacketSocket {
    fd: OwnedFd,
    name: String,
}

impl PacketSocket {
    pub fn open(interface: &Interface) -> Result<Self> {
        let name = interface.name.clone();
        // Without a protocol it receives nothing until it is bound to its interface.
        let fd = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .context("cannot open a packet socket")?;
        bind(&fd, interface.index)
            .with_context(|| format!("cannot bind a packet socket to {name}"))?;
        Ok(Self { fd, name })
    }

    pub fn send_frame(&self, frame: &[u8]) -> Result<()> {
        unistd::write(&self.fd, frame)
            .with_context(|| format!("cannot send a frame on {}", self.name))?;
        Ok(())
    }

    /// Waits until exactly this frame arrives.
    pub fn wait_for_frame(&self, limit: Duration, frame: &[u8]) -> Result<()> {
        self.wait_for(limit, |arrived| arrived == frame)
    }

    /// Waits until a frame arrives that `is_wanted`; others are skipped. An error if it does not
    /// within `limit`.
    pub fn wait_for(&self, limit: Duration, is_wanted: impl Fn(&[u8]) -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; FRAME_SIZE];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let name = &self.name;
                bail!("the frame that was expected on {name} did not arrive within {limit:?}");
            }
            let timeout = PollTimeout::try_from(left).context("cannot convert the time limit")?;
            let mut sockets = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut sockets, timeout) {
                Ok(0) | Err(Errno::EINTR) => continue,
                result => result.context("cannot wait for a frame")?,
            };
            let length = unistd::read(&self.fd, &mut buffer)
                .with_context(|| format!("cannot receive a frame on {}", self.name))?;
            if is_wanted(&buffer[..length]) {
                return Ok(());
            }
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn bind(fd: &OwnedFd, ifindex: u32) -> Result<()> {
    // SAFETY: all fields are integers, which may be zero.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = i32::try_from(ifindex)?;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `length` is the size of the address, which the kernel copies.
    let result = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(result)?;
    Ok(())
}
