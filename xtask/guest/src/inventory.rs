//! What lives in the kernel and how it is set, so that a plan that leaves something behind can be
//! named.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};

use crate::bpf::{self, BpfCommand};
use crate::settings::Settings;
use crate::{network, programs};

/// The kernel frees programs and links a moment after their last user is gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process that ends by itself, as the first program of a pipeline does, takes a moment.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// Kinds of objects that have ids, and the command that steps through them.
const OBJECTS: [(&str, BpfCommand); 4] = [
    ("program", BpfCommand::NextProgram),
    ("map", BpfCommand::NextMap),
    ("BTF object", BpfCommand::NextBtf),
    ("link", BpfCommand::NextLink),
];

/// Directories whose entries are things of the kernel's.
const DIRECTORIES: [(&str, &str); 4] = [
    ("pinned object", "/sys/fs/bpf"),
    ("trace instance", "/sys/kernel/tracing/instances"),
    ("control group", "/sys/fs/cgroup"),
    ("device", "/dev"),
];

/// Files with a line for each thing.
const LISTS: [(&str, &str); 5] = [
    ("kprobe", "/sys/kernel/tracing/kprobe_events"),
    ("uprobe", "/sys/kernel/tracing/uprobe_events"),
    ("tracing option", "/sys/kernel/tracing/trace_options"),
    ("traced event", "/sys/kernel/tracing/set_event"),
    ("module", "/proc/modules"),
];

/// Loading the first program that can print switches this one on, and nothing switches it off.
const PRINTK_EVENT: &str = "bpf_trace:bpf_trace_printk";

/// What is there, by name: how often, or its value.
type State = BTreeMap<String, String>;

/// What there was before any plan.
pub struct Inventory {
    settings: Settings,
    state: State,
}

impl Inventory {
    pub fn take_stock() -> Result<Self> {
        let settings = Settings::find_all();
        let state = state(&settings)?;
        Ok(Self { settings, state })
    }

    /// What has come, gone or changed since, and does not go back.
    pub fn find_differences(&self) -> Result<Vec<String>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let differences = compare(&self.state, &state(&self.settings)?);
            if differences.is_empty() || Instant::now() > deadline {
                return Ok(differences);
            }
            sleep(Duration::from_millis(10));
        }
    }
}

fn compare(before: &State, after: &State) -> Vec<String> {
    let come = after
        .iter()
        .filter_map(|(name, value)| match before.get(name) {
            None => Some(name.clone()),
            Some(was) if was != value => Some(format!(
                "{name} ({} before, {} now)",
                short(was),
                short(value)
            )),
            Some(_) => None,
        });
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| format!("no {name} any more"));
    come.chain(gone).collect()
}

/// A value as a part of a line.
fn short(value: &str) -> String {
    const LONGEST: usize = 40;
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        None if line.is_empty() => "nothing".to_owned(),
        None => line,
        Some((end, _)) => format!("{}...", &line[..end]),
    }
}

fn state(settings: &Settings) -> Result<State> {
    let mut state: State = settings.read_values().collect();
    for (name, value) in network::list_things()? {
        match value {
            Some(value) => drop(state.insert(name, value)),
            None => count(&mut state, name),
        }
    }
    let mut add = |name| count(&mut state, name);
    for (kind, command) in OBJECTS {
        bpf::list_ids(command)
            .into_iter()
            .for_each(|id| add(format!("{kind} {id}")));
    }
    for (kind, directory) in DIRECTORIES {
        names_in(directory)?
            .into_iter()
            .for_each(|name| add(format!("{kind} {name}")));
    }
    for (kind, file) in LISTS {
        first_words(file)?
            .into_iter()
            .for_each(|name| add(format!("{kind} {name}")));
    }
    mounts()?.into_iter().for_each(&mut add);
    processes()?.into_iter().for_each(add);
    Ok(state)
}

/// One more of this name: a second mount on a directory is seen.
fn count(state: &mut State, name: String) {
    let times = state
        .get(&name)
        .and_then(|times| times.parse::<u32>().ok())
        .unwrap_or(0);
    state.insert(name, (times + 1).to_string());
}

fn names_in(directory: &str) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {directory}")),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Of each line of a file, what it is about, without its counters.
fn first_words(file: &str) -> Result<Vec<String>> {
    let words = lines_of(file)?
        .into_iter()
        .filter_map(|line| Some(line.split(' ').next()?.to_owned()));
    Ok(words.filter(|word| word != PRINTK_EVENT).collect())
}

/// Mounts as a plan sees them: what it calls its own root is below the programs' root.
fn mounts() -> Result<Vec<String>> {
    let lines = lines_of("/proc/self/mountinfo")?;
    Ok(lines.iter().filter_map(|line| name_mount(line)).collect())
}

/// A line has the mounted part of its file system as the fourth word, and the place as the fifth.
/// The part that is a namespace has no path: `net:[4026532201]`.
fn name_mount(line: &str) -> Option<String> {
    let mut words = line.split(' ').skip(3);
    let (part, point) = (words.next()?, as_seen_inside(words.next()?));
    Some(match part.split_once(":[") {
        Some((kind, _)) => format!("{kind} namespace {point}"),
        None => format!("mount {point}"),
    })
}

fn as_seen_inside(point: &str) -> &str {
    match point.strip_prefix(programs::ROOT) {
        Some("") => "/",
        Some(inside) if inside.starts_with('/') => inside,
        _ => point,
    }
}

fn lines_of(file: &str) -> Result<Vec<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {file}")),
    }
}

/// Those that go on although the program of a step has ended, with their arguments.
pub fn list_remaining_processes() -> Result<Vec<String>> {
    // Whoever has lost its parent is a child of init's. Asking for them is much quicker than a look
    // at all processes.
    let options = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    if waitid(Id::All, options) == Err(Errno::ECHILD) {
        return Ok(Vec::new());
    }
    let deadline = Instant::now() + LAST_MOMENT;
    loop {
        let processes = command_lines()?;
        if processes.is_empty() || Instant::now() > deadline {
            let mut counted = State::new();
            for line in processes {
                let words = String::from_utf8_lossy(&line).replace('\0', " ");
                count(&mut counted, format!("process {}", short(&words)));
            }
            return Ok(counted.into_iter().map(name_with_times).collect());
        }
        sleep(Duration::from_millis(10));
    }
}

fn name_with_times((name, times): (String, String)) -> String {
    match times.as_str() {
        "1" => name,
        _ => format!("{name} ({times} of them)"),
    }
}

fn processes() -> Result<Vec<String>> {
    let programs = command_lines()?.into_iter().map(|line| {
        let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
        format!("process {}", String::from_utf8_lossy(program))
    });
    Ok(programs.collect())
}

/// Of each program that runs, its arguments with a zero byte after each; init and the kernel's own
/// threads are left out.
fn command_lines() -> Result<Vec<Vec<u8>>> {
    let mut running = Vec::new();
    for name in names_in("/proc")? {
        let Ok(pid @ 2..) = name.parse::<u32>() else {
            continue;
        };
        // A process may end at any moment; a thread of the kernel has no command line.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if line.first().is_some_and(|byte| *byte != 0) {
            running.push(line);
        }
    }
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(things: &[(&str, &str)]) -> State {
        things
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_came_went_or_changed_is_named() {
        let before = state(&[
            ("module veth", "1"),
            ("sysctl kernel/hostname", "(none)"),
            ("mount /tmp", "1"),
        ]);
        assert_eq!(compare(&before, &before), [""; 0]);
        let after = state(&[
            ("map 7", "1"),
            ("sysctl kernel/hostname", "left"),
            ("mount /tmp", "2"),
        ]);
        assert_eq!(
            compare(&before, &after),
            [
                "map 7",
                "mount /tmp (1 before, 2 now)",
                "sysctl kernel/hostname ((none) before, left now)",
                "no module veth any more",
            ]
        );
    }

    #[test]
    fn things_of_one_name_are_counted() {
        let mut state = State::new();
        count(&mut state, "mount /tmp".into());
        count(&mut state, "mount /tmp".into());
        assert_eq!(state["mount /tmp"], "2");
    }

    #[test]
    fn mounts_are_named_as_a_plan_sees_them() {
        assert_eq!(
            ["/work", "/work/tmp", "/proc", "/workshop"].map(as_seen_inside),
            ["/", "/tmp", "/proc", "/workshop"]
        );
    }

    #[test]
    fn a_namespace_that_is_kept_by_a_mount_is_named_as_one() {
        let line = "57 30 0:4 net:[4026532201] /work/run/netns/blue rw shared:1 - nsfs nsfs rw";
        assert_eq!(name_mount(line).unwrap(), "net namespace /run/netns/blue");
        let line = "31 23 0:28 /inner /work/mnt rw,relatime - tmpfs tmpfs rw";
        assert_eq!(name_mount(line).unwrap(), "mount /mnt");
    }

    #[test]
    fn values_are_shortened_to_a_part_of_a_line() {
        assert_eq!(short("4 4\n1\t7"), "4 4 1 7");
        assert_eq!(short(""), "nothing");
        assert_eq!(short(&"é".repeat(100)), "é".repeat(40) + "...");
    }
}
