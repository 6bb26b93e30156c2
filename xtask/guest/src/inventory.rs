//! What lives in the kernel, so that a plan that leaves something behind can be named.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The kernel frees programs and links a moment after their last user has gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Kinds of objects that have ids, and the command of bpf(2) that steps through them.
const OBJECTS: [(&str, u32); 4] = [("program", 11), ("map", 12), ("BTF object", 23), ("link", 31)];

/// Folders whose entries are things of the kernel's.
const FOLDERS: [(&str, &str); 5] = [
    ("pinned object", "/sys/fs/bpf"),
    ("network interface", "/sys/class/net"),
    ("trace instance", "/sys/kernel/tracing/instances"),
    ("control group", "/sys/fs/cgroup"),
    ("device", "/dev"),
];

/// Files with a line for each thing.
const LISTS: [(&str, &str); 4] = [
    ("kprobe", "/sys/kernel/tracing/kprobe_events"),
    ("uprobe", "/sys/kernel/tracing/uprobe_events"),
    ("module", "/proc/modules"),
    ("mount", "/proc/self/mountinfo"),
];

#[derive(Debug, Eq, PartialEq)]
pub struct Inventory {
    things: BTreeSet<String>,
}

impl Inventory {
    pub fn take() -> Result<Self> {
        let mut things = BTreeSet::new();
        for (kind, command) in OBJECTS {
            things.extend(ids(command).into_iter().map(|id| format!("{kind} {id}")));
        }
        for (kind, folder) in FOLDERS {
            things.extend(names_in(folder)?.into_iter().map(|name| format!("{kind} {name}")));
        }
        for (kind, file) in LISTS {
            things.extend(lines_of(kind, file)?);
        }
        things.extend(processes()?);
        Ok(Self { things })
    }

    /// What has come since and does not go.
    pub fn what_is_new(&self) -> Result<Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new: Vec<String> = Self::take()?.things.difference(&self.things).cloned().collect();
            if new.is_empty() || Instant::now() > deadline {
                return Ok(new);
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// `union bpf_attr`, as far as BPF_*_GET_NEXT_ID uses it.
#[repr(C)]
struct NextId {
    start: u32,
    next: u32,
    flags: u32,
}

fn ids(command: u32) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut request = NextId { start: 0, next: 0, flags: 0 };
    // SAFETY: bpf(2) reads and writes a structure of the size that is given. It fails after the last id, or when the
    // kernel does not know the command.
    while unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut request, size_of::<NextId>()) } == 0 {
        ids.push(request.next);
        request.start = request.next;
    }
    ids
}

fn names_in(folder: &str) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {folder}")),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn lines_of(kind: &str, file: &str) -> Result<Vec<String>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {file}")),
    };
    // The programs' own root is what the host put there, not what a plan left.
    let lines = text.lines().filter_map(|line| named(kind, line)).filter(|name| !name.starts_with("/work"));
    Ok(lines.map(|name| format!("{kind} {name}")).collect())
}

/// What a line is about, without its counters: a mount's point, a module's name.
fn named<'a>(kind: &str, line: &'a str) -> Option<&'a str> {
    let mut words = line.split(' ');
    if kind == "mount" { words.nth(4) } else { words.next() }
}

/// Programs that run, init and the kernel's own threads left out.
fn processes() -> Result<Vec<String>> {
    let mut running = Vec::new();
    for name in names_in("/proc")? {
        let Ok(pid @ 2..) = name.parse::<u32>() else { continue };
        // A process may end at any moment; a thread of the kernel has no command line.
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if let Some(program) = command.split(|byte| *byte == 0).next().filter(|name| !name.is_empty()) {
            running.push(format!("process {}", String::from_utf8_lossy(program)));
        }
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn counters_are_no_part_of_a_name() {
        assert_eq!(named("module", "veth 45056 2 - Live 0x0"), Some("veth"));
        assert_eq!(named("mount", "28 1 0:25 / /run/netns/x rw - nsfs nsfs rw"), Some("/run/netns/x"));
        assert_eq!(named("kprobe", "p:kprobes/foo do_unlinkat"), Some("p:kprobes/foo"));
    }
}
