//! User side with libbpf-rs: loads the program that clang built.

use std::mem::MaybeUninit;
use std::time::Duration;

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, Skel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore, MapFlags, MapInfo, OpenObject, RingBuffer, RingBufferBuilder,
};

use crate::change::Change;
use crate::hook::{self, Hook};
use crate::monitor::{Monitor, Sender};
use crate::own_map::OwnMap;
use crate::records::Watched;
use crate::settings::Settings;
use crate::summary::{self, Counters, Process, Recent};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/maps.skel.rs"));
}
use skeleton::{MapsSkel, MapsSkelBuilder};

/// A global variable is the first and only element of an array.
const FIRST: [u8; 4] = 0u32.to_ne_bytes();

pub struct Libbpf<'storage> {
    skeleton: MapsSkel<'storage>,
    links: Vec<Link>,
    changes: RingBuffer<'static>,
}

pub fn start<'storage>(
    storage: &'storage mut MaybeUninit<OpenObject>,
    settings: &Settings,
    sender: Sender,
) -> Result<Libbpf<'storage>> {
    let mut skeleton = load(storage, settings)?;
    let links = settings
        .hooks
        .iter()
        .map(|hook| attach(&mut skeleton, hook))
        .collect::<Result<_>>()?;
    let changes = changes(&skeleton.maps.changes, sender)?;
    Ok(Libbpf {
        skeleton,
        links,
        changes,
    })
}

// ANCHOR: load
fn load<'storage>(
    storage: &'storage mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<MapsSkel<'storage>> {
    let mut open = MapsSkelBuilder::default()
        .open(storage)
        .context("open the program")?;
    let watched = open
        .maps
        .rodata_watched_data
        .as_deref_mut()
        .context("find the global watched")?;
    watched.watched.inode = settings.watched.inode;
    watched.watched.device = settings.watched.device;
    let process = open
        .maps
        .rodata_process_data
        .as_deref_mut()
        .context("find the global only_process")?;
    process.only_process = settings.only_process;
    open.maps.changes.set_max_entries(settings.buffer)?;
    open.maps.processes.set_max_entries(settings.processes)?;
    for mut program in open.open_object_mut().progs_mut() {
        let is_wanted = settings
            .hooks
            .iter()
            .any(|hook| program.name() == hook.program);
        program.set_autoload(is_wanted);
    }
    open.load().context("load the program")
}
// ANCHOR_END: load

fn attach(skeleton: &mut MapsSkel<'_>, hook: &Hook) -> Result<Link> {
    let name = hook.program;
    let mut programs = skeleton.object_mut().progs_mut();
    let program = programs
        .find(|program| program.name() == name)
        .with_context(|| format!("find program {name}"))?;
    program
        .attach_kprobe(false, hook.function)
        .map_err(|error| hook::not_attached(hook, error.into()))
}

fn changes(map: &dyn MapCore, sender: Sender) -> Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |bytes| {
        // Sending fails only when the session is over, and then nobody misses the change.
        let _ = sender.send(Change::from_bytes(bytes));
        0
    })?;
    builder.build().context("open the ring buffer")
}

impl Monitor for Libbpf<'_> {
    fn wait(&mut self, limit: Duration) -> Result<()> {
        match self.changes.poll(limit) {
            // A signal ends the wait: the session looks at it.
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(error).context("wait for changes")
            }
            _ => Ok(()),
        }
    }

    // ANCHOR: pause
    fn pause(&mut self, paused: bool) -> Result<()> {
        let value = u64::from(paused).to_ne_bytes();
        self.skeleton
            .maps
            .data_paused
            .update(&FIRST, &value, MapFlags::ANY)
            .context("write the global paused")
    }
    // ANCHOR_END: pause

    fn detach(&mut self) {
        self.links.clear();
    }

    // ANCHOR: read
    fn counters(&self) -> Result<Counters> {
        Ok(Counters::from_bytes(&first(
            &self.skeleton.maps.data_counters,
        )?))
    }

    fn processes(&self) -> Result<Vec<Process>> {
        entries(&self.skeleton.maps.processes, |pid, value| {
            Process::from_bytes(
                pid.first_chunk().map_or(0, |pid| u32::from_ne_bytes(*pid)),
                value,
            )
        })
    }

    fn recent(&self) -> Result<Vec<Recent>> {
        entries(&self.skeleton.maps.recent, Recent::from_bytes)
    }
    // ANCHOR_END: read

    // ANCHOR: proof
    fn maps(&self) -> Result<Vec<OwnMap>> {
        self.skeleton
            .object()
            .maps()
            .map(|map| describe(&map.info()?))
            .collect()
    }

    fn watched(&self) -> Result<Watched> {
        let bytes = first(&self.skeleton.maps.rodata_watched)?;
        Ok(Watched {
            inode: summary::number(&bytes, 0),
            device: summary::number(&bytes, 8),
        })
    }

    fn watched_is_frozen(&mut self) -> Result<bool> {
        match self
            .skeleton
            .maps
            .rodata_watched
            .update(&FIRST, &[0; 16], MapFlags::ANY)
        {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(true),
            Err(error) => Err(error).context("write the global watched"),
        }
    }
    // ANCHOR_END: proof
}

fn first(map: &dyn MapCore) -> Result<Vec<u8>> {
    let value = map
        .lookup(&FIRST, MapFlags::ANY)
        .with_context(|| format!("read the map {:?}", map.name()))?;
    value.with_context(|| format!("read the map {:?}: it is empty", map.name()))
}

fn entries<T>(map: &dyn MapCore, decode: impl Fn(&[u8], &[u8]) -> T) -> Result<Vec<T>> {
    let mut entries = Vec::new();
    for key in map.keys() {
        let value = map
            .lookup(&key, MapFlags::ANY)
            .with_context(|| format!("read the map {:?}", map.name()))?;
        // An entry may go between the two questions, when the program is still attached.
        entries.extend(value.map(|value| decode(&key, &value)));
    }
    Ok(entries)
}

fn describe(info: &MapInfo) -> Result<OwnMap> {
    Ok(OwnMap {
        id: info.info.id,
        name: info.name()?.to_owned(),
        kind: info.info.type_,
        key_size: info.info.key_size,
        value_size: info.info.value_size,
        max_entries: info.info.max_entries,
    })
}
