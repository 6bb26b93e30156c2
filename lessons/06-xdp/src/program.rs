//! The programs of this lesson, and what can be done with one, whichever library loaded it.

use std::time::Duration;

use anyhow::Result;
use ipnet::IpNet;
use network::interface::{Interface, Mode};

use crate::counters::FrameCounters;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketProgram {
    /// Drops malformed frames.
    Parse,
    /// As `Parse`, and counts.
    Count,
    /// As `Count`, and drops what comes from blocked addresses.
    Block,
    /// As `Block`, and answers pings.
    Reply,
    /// As `Block`, and sends datagrams for some ports out through another interface.
    Redirect,
    /// tc, not XDP: drops what goes out to blocked addresses.
    Egress,
}

impl PacketProgram {
    /// The name of the function in both languages.
    pub fn program_name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Count => "count",
            Self::Block => "block",
            Self::Reply => "reply",
            Self::Redirect => "redirect",
            Self::Egress => "egress",
        }
    }
}

/// What BPF_PROG_TEST_RUN returned.
pub struct TestRunResult {
    pub verdict: u32,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
    /// The average of one run.
    pub duration: Duration,
}

/// A program that one of the two libraries has loaded. Dropping it detaches the program.
pub type BoxedProgram = Box<dyn LoadedProgram>;

pub trait LoadedProgram {
    fn attach_xdp(&mut self, interface: &Interface, mode: Mode) -> Result<()>;
    fn attach_egress(&mut self, interface: &Interface) -> Result<()>;
    /// The verdict is XDP_DROP, or XDP_PASS for an exception from a larger network. `None` removes
    /// the rule.
    fn set_rule(&mut self, network: IpNet, verdict: Option<u32>) -> Result<()>;
    fn set_redirect(&mut self, port: u16, to: &Interface) -> Result<()>;
    fn read_counters(&self) -> Result<FrameCounters>;
    fn read_egress_drops(&self) -> Result<u64>;
    /// Runs the program `repeat` times on a frame, without any interface.
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunResult>;
}
