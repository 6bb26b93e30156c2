//! Loads, attaches and reads with libbpf-rs the program that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::record;
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, Skel as _, SkelBuilder as _};
use libbpf_rs::{ErrorKind, Link, MapCore, MapFlags, OpenObject};

use crate::event::Watched;
use crate::own_map::OwnMap;
use crate::report::Contents;
use crate::settings::Settings;

common::include_skeleton!("maps");
use skeleton::{MapsSkel, MapsSkelBuilder};

/// A global variable is the first and only element of an array.
const FIRST: [u8; 4] = 0u32.to_ne_bytes();

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<MapsSkel<'a>> {
    let builder = MapsSkelBuilder::default();
    let mut open = builder.open(storage).context("cannot open the program")?;
    let globals = open.maps.rodata_watched_data.as_deref_mut();
    let globals = globals.context("cannot find watched")?;
    globals.watched.inode = settings.watched.inode;
    globals.watched.device = settings.watched.device;
    open.maps.changes.set_max_entries(settings.buffer)?;
    open.maps.processes.set_max_entries(settings.processes)?;
    open.load().context("cannot load the program")
}
// ANCHOR_END: load

/// Dropping the links detaches the programs.
pub fn attach(skeleton: &mut MapsSkel<'_>, hooks: &[&str]) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for hook in hooks {
        let mut programs = skeleton.object_mut().progs_mut();
        let program = programs.find(|program| program.name() == format!("on_{hook}").as_str());
        let program = program.with_context(|| format!("cannot find on_{hook}"))?;
        let function = format!("security_inode_{hook}");
        let link = program.attach_kprobe(false, &function);
        links.push(link.with_context(|| format!("cannot attach on_{hook} to {function}"))?);
    }
    Ok(links)
}

pub fn read_changes(skeleton: &MapsSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.changes)
}

// ANCHOR: pause
pub fn pause(skeleton: &MapsSkel<'_>, paused: bool) -> Result<()> {
    let value = u64::from(paused).to_ne_bytes();
    let array = &skeleton.maps.data_paused;
    array
        .update(&FIRST, &value, MapFlags::ANY)
        .context("cannot write paused")
}
// ANCHOR_END: pause

// ANCHOR: read
pub fn read_contents(skeleton: &MapsSkel<'_>) -> Result<Contents> {
    let maps = &skeleton.maps;
    let mut contents = Contents {
        counters: record::from_bytes(&read_element(&maps.data_counters, &FIRST)?)?,
        processes: Vec::new(),
        recent: Vec::new(),
    };
    for pid in maps.processes.keys() {
        let bytes = read_element(&maps.processes, &pid)?;
        let entry = (record::from_bytes(&pid)?, record::from_bytes(&bytes)?);
        contents.processes.push(entry);
    }
    for name in maps.recent.keys() {
        let bytes = read_element(&maps.recent, &name)?;
        let entry = (record::from_bytes(&name)?, record::from_bytes(&bytes)?);
        contents.recent.push(entry);
    }
    Ok(contents)
}
// ANCHOR_END: read

// ANCHOR: proof
pub fn list_maps(skeleton: &MapsSkel<'_>) -> Result<Vec<OwnMap>> {
    let mut maps = Vec::new();
    for map in skeleton.object().maps() {
        let info = map.info()?;
        maps.push(OwnMap {
            id: info.info.id,
            name: info.name()?.to_owned(),
            map_type: info.info.type_,
            key_size: info.info.key_size,
            value_size: info.info.value_size,
            max_entries: info.info.max_entries,
        });
    }
    Ok(maps)
}

pub fn read_watched(skeleton: &MapsSkel<'_>) -> Result<Watched> {
    let bytes = read_element(&skeleton.maps.rodata_watched, &FIRST)?;
    record::from_bytes(&bytes).context("cannot read watched")
}

/// Tries to write, and returns whether the kernel refused.
pub fn write_watched(skeleton: &MapsSkel<'_>) -> Result<bool> {
    let array = &skeleton.maps.rodata_watched;
    match array.update(&FIRST, &[0; 16], MapFlags::ANY) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(true),
        Err(error) => Err(error).context("cannot write watched"),
    }
}
// ANCHOR_END: proof

fn read_element(map: &dyn MapCore, key: &[u8]) -> Result<Vec<u8>> {
    let name = || format!("cannot read the map {}", map.name().to_string_lossy());
    let value = map.lookup(key, MapFlags::ANY).with_context(name)?;
    value.with_context(name)
}

#[cfg(test)]
mod tests {
    use libbpf_rs::ObjectBuilder;

    fn opens(object: &[u8]) -> bool {
        ObjectBuilder::default().open_memory(object).is_ok()
    }

    #[test]
    fn libbpf_opens_the_programs_in_rust_too() {
        let first = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/maps-first-ebpf"));
        assert!(opens(first));
        let monitor = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/maps-ebpf"));
        assert!(opens(monitor));
    }
}
