//! What programs can set in the kernel: sysctls, and the switches of tracing.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

const SYSCTLS: &str = "/proc/sys";
const TRACING: &str = "/sys/kernel/tracing";

/// Directories of sysctls that are compared. Not `fs`: much of it are counters.
const DIRECTORIES: [&str; 3] = ["kernel", "net", "vm"];

/// What is left out there, with all below it. Which change by themselves was found by comparing
/// all, before and after a lesson and a pause, on the five kernels of the matrix.
///
/// Reading 520 of them takes 30 to 45 ms in an emulated VM, after every plan: that is why not more
/// are compared.
const LEFT_OUT: [&str; 10] = [
    // They change by themselves.
    "kernel/ns_last_pid",
    "kernel/random",
    // 5.10: the scheduler measures.
    "kernel/sched_domain",
    // The kernel lowers it when a profiler's interrupts take long.
    "kernel/perf_event_max_sample_rate",
    "kernel/pty/nr",
    "net/netfilter/nf_conntrack_count",
    // Reading it makes every CPU add up its counters.
    "vm/stat_refresh",
    // These go with the interface when it gets another name, and it is what is named then.
    "lo",
    // Many, and far from what eBPF programs are about.
    "neigh",
    "net/ipv6/conf",
];

/// Not `buffer_size_kb`: the kernel enlarges it when tracing is first used.
const SWITCHES: [&str; 11] = [
    "current_tracer",
    "set_event_pid",
    "set_ftrace_filter",
    "set_ftrace_notrace",
    "set_ftrace_pid",
    "set_graph_function",
    "synthetic_events",
    "trace_clock",
    "tracing_cpumask",
    "tracing_on",
    "tracing_thresh",
];

/// Which there are, so that they are looked for once.
pub struct Settings {
    files: Vec<(String, PathBuf)>,
}

impl Settings {
    pub fn find_all() -> Self {
        let mut files = Vec::new();
        for directory in DIRECTORIES {
            find_below(&Path::new(SYSCTLS).join(directory), &mut files);
        }
        let switch = |name: &&str| (format!("tracing's {name}"), Path::new(TRACING).join(name));
        files.extend(SWITCHES.iter().map(switch));
        Self { files }
    }

    /// All by name; those that cannot be read are left out.
    pub fn read_values(&self) -> impl Iterator<Item = (String, String)> {
        self.files
            .iter()
            .filter_map(|(name, path)| Some((name.clone(), value(path)?)))
    }
}

fn find_below(directory: &Path, files: &mut Vec<(String, PathBuf)>) {
    // What cannot be listed cannot be compared.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = name(&path) else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => find_below(&path, files),
            _ => files.push((format!("sysctl {name}"), path)),
        }
    }
}

/// `net/core/bpf_jit_enable`; `None` for what is left out.
fn name(path: &Path) -> Option<String> {
    let name = path.strip_prefix(SYSCTLS).ok()?.to_str()?;
    let last = name.rsplit('/').next()?;
    let left_out = LEFT_OUT.contains(&name) || LEFT_OUT.contains(&last);
    (!left_out).then(|| name.to_owned())
}

/// The beginning of it, which is all of nearly every one: a read gives no more at a time.
fn value(path: &Path) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = File::open(path)
        .and_then(|mut file| file.read(&mut buffer))
        .ok()?;
    Some(
        String::from_utf8_lossy(&buffer[..length])
            .trim_end()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_is_left_out() {
        let name = |path: &str| name(Path::new(path));
        assert_eq!(name("/proc/sys/kernel/ns_last_pid"), None);
        assert_eq!(name("/proc/sys/net/ipv4/conf/lo"), None);
        assert_eq!(
            name("/proc/sys/net/ipv4/conf/all").as_deref(),
            Some("net/ipv4/conf/all")
        );
    }

    #[test]
    fn this_machines_are_found() {
        let settings = Settings::find_all();
        let values: Vec<_> = settings.read_values().collect();
        assert!(
            values
                .iter()
                .any(|(name, _)| name == "sysctl kernel/hostname"),
            "{values:#?}"
        );
    }
}
