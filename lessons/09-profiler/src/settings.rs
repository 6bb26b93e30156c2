//! What is sampled, and whether this machine allows it.

use std::path::Path;

use anyhow::{Error, Result, ensure};
use aya::util::online_cpus;
use common::machine::check_sysctl;

use crate::event::MAX_FRAMES;

pub struct Settings {
    /// 0: every process
    pub pid: u32,
    /// Samples a second, on each CPU
    pub frequency: u64,
    /// Room for different stacks, and for different keys of the counts
    pub max_stacks: u32,
    /// Those that are online; others cannot be sampled
    pub cpus: Vec<u32>,
}

impl Settings {
    /// Fails where the kernel would only say EINVAL.
    pub fn check(pid: u32, frequency: u64, max_stacks: u32) -> Result<Self> {
        let what = format!("take {frequency} samples a second");
        check_sysctl("kernel.perf_event_max_sample_rate", frequency, &what)?;
        let what = format!("keep {MAX_FRAMES} frames of a stack");
        check_sysctl("kernel.perf_event_max_stack", MAX_FRAMES as u64, &what)?;
        ensure!(
            pid == 0 || Path::new(&format!("/proc/{pid}")).exists(),
            "cannot sample process {pid}: there is none; ps -e shows all"
        );
        let cpus = online_cpus()
            .map_err(|(path, error)| Error::new(error).context(format!("cannot read {path}")))?;
        Ok(Self {
            pid,
            frequency,
            max_stacks,
            cpus,
        })
    }
}
