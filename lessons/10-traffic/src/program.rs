//! The programs of this lesson, and what can be done with them, whichever library loaded them.

use std::fmt;
use std::os::fd::BorrowedFd;

use anyhow::Result;
use network::interface::Interface;

use crate::endpoint::Endpoint;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrafficProgram {
    /// tc: changes the addresses of packets.
    Balance,
    /// cgroup: changes the address that a socket connects to.
    Connect,
    /// sockops: sets an option of TCP.
    Timeout,
    /// Socket filter: counts, with one program for each protocol.
    Protocols,
}

/// How tc holds a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TcHold {
    /// A file descriptor, since Linux 6.6: it detaches when the process ends.
    Link,
    /// An entry of the interface: it stays until someone removes it.
    Filter,
}

/// In the order of the map.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ProtocolCounters {
    pub connections: u64,
    pub datagrams: u64,
    pub pings: u64,
}

impl fmt::Display for ProtocolCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (connections, datagrams, pings) = (self.connections, self.datagrams, self.pings);
        write!(
            f,
            "  connections {connections}, datagrams {datagrams}, pings {pings}"
        )
    }
}

/// The programs of one object file. Dropping them detaches them.
pub type BoxedProgram = Box<dyn LoadedProgram>;

pub trait LoadedProgram {
    fn attach_tc(&mut self, interface: &Interface) -> Result<TcHold>;
    fn attach_cgroup(&mut self, cgroup: BorrowedFd<'_>) -> Result<()>;
    /// Fills the prog array, too.
    fn attach_socket(&mut self, socket: BorrowedFd<'_>) -> Result<()>;
    fn set_service(&mut self, service: &Endpoint) -> Result<()>;
    fn set_backend(&mut self, index: u32, backend: &Endpoint) -> Result<()>;
    fn read_counters(&self) -> Result<ProtocolCounters>;
}
