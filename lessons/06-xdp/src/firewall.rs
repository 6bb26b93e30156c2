//! What both implementations do, under the same names.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use ipnet::IpNet;

use crate::counters::Counters;
use crate::interface::Interface;
use crate::rules::Action;

/// Fixed when the programs are loaded.
#[derive(Clone, Copy)]
pub struct Settings {
    pub answer_ping: bool,
    /// How many prefixes there can be at most, for IPv4 and for IPv6 each.
    pub max_rules: u32,
}

/// Who runs the program.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Mode {
    /// The network driver, before the kernel has made anything of the frame
    #[default]
    Native,
    /// The kernel, after the driver has made a packet of it: slower, with any driver
    Generic,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// What BPF_PROG_TEST_RUN gave.
pub struct Judged {
    pub verdict: u32,
    /// As the program left it.
    pub frame: Vec<u8>,
    /// Of one run, on the average.
    pub duration: Duration,
}

pub trait Firewall {
    fn attach(&mut self, interface: &Interface, mode: Mode) -> Result<()>;
    /// A program that lets everything pass.
    fn attach_pass(&mut self, interface: &Interface, mode: Mode) -> Result<()>;
    /// tc's program, for what goes out.
    fn attach_egress(&mut self, interface: &Interface) -> Result<()>;
    /// All XDP programs.
    fn detach(&mut self);
    fn set_rule(&mut self, prefix: IpNet, action: Action) -> Result<()>;
    fn remove_rule(&mut self, prefix: IpNet) -> Result<()>;
    fn redirect(&mut self, port: u16, to: &Interface) -> Result<()>;
    fn frames(&self) -> Result<Counters>;
    fn egress_drops(&self) -> Result<u64>;
    fn test_run(&self, frame: &[u8], repeat: u32) -> Result<Judged>;
}
