//! What a part of a step cost: time, VMs, and what cargo compiled.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Sums of a part, or of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub wall_time: Duration,
    /// With all programs that were started, VMs included.
    pub cpu_time: Duration,
    pub vms: VmCost,
    /// The largest resident set of one process.
    pub peak_bytes: u64,
    /// Names of crates and of their targets, once for each time that cargo compiled them.
    pub compiled: Vec<String>,
}

impl Cost {
    /// Adds what was spent side by side with this, or after it: the time on the wall is not summed.
    pub fn add_part(&mut self, part: &Self) {
        self.cpu_time += part.cpu_time;
        self.vms.booted += part.vms.booted;
        self.vms.resumed += part.vms.resumed;
        self.vms.wall_time += part.vms.wall_time;
        self.vms.cpu_time += part.vms.cpu_time;
        self.peak_bytes = self.peak_bytes.max(part.peak_bytes);
        self.compiled.extend_from_slice(&part.compiled);
    }

    /// Without the VMs'. A VM that outlived who started it was not waited for.
    pub fn own_cpu_time(&self) -> Duration {
        self.cpu_time.saturating_sub(self.vms.cpu_time)
    }
}

/// The VMs that a part started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VmCost {
    pub booted: u32,
    pub resumed: u32,
    /// From the start of each to its end.
    pub wall_time: Duration,
    pub cpu_time: Duration,
}

/// Reads what `testvm` wrote: how the VM started, seconds from start to end, seconds of CPU time.
pub fn read_vm_cost(file: &Path) -> Result<VmCost> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the costs of VMs from {}", file.display()))?;
    let mut sum = VmCost::default();
    for line in text.lines() {
        add_vm(&mut sum, line).with_context(|| format!("{}: {line:?}", file.display()))?;
    }
    Ok(sum)
}

fn add_vm(sum: &mut VmCost, line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let mut word = || words.next().context("three words are expected");
    match word()? {
        "booted" => sum.booted += 1,
        _ => sum.resumed += 1,
    }
    sum.wall_time += Duration::try_from_secs_f64(word()?.parse()?)?;
    sum.cpu_time += Duration::try_from_secs_f64(word()?.parse()?)?;
    Ok(())
}

/// What was compiled several times, the most frequent first.
pub fn count_repeated<'a>(compiled: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for name in compiled {
        *counts.entry(name).or_insert(0) += 1;
    }
    let mut repeated: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    repeated.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vms_are_added_up() {
        let mut sum = VmCost::default();
        add_vm(&mut sum, "booted 3.5 3.25").unwrap();
        add_vm(&mut sum, "resumed 0.5 0.25").unwrap();
        assert_eq!((sum.booted, sum.resumed), (1, 1));
        assert_eq!(sum.wall_time, Duration::from_secs(4));
        assert_eq!(sum.cpu_time, Duration::from_millis(3500));
        assert!(add_vm(&mut sum, "resumed 0.5").is_err());
    }

    #[test]
    fn what_was_compiled_once_is_not_repeated() {
        let compiled = ["aya", "anyhow", "aya", "libc", "libc", "aya"];
        assert_eq!(
            count_repeated(compiled.into_iter()),
            [("aya", 3), ("libc", 2)]
        );
    }
}
