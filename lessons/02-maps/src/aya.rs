//! Loads, attaches and reads with aya the program that rustc and bpf-linker built.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, Map, MapError, MapInfo};
use aya::programs::KProbe;
use aya::programs::kprobe::KProbeLink;
use aya::{Ebpf, EbpfLoader};
use common::btf::Kernel;
use common::record;
use common::ring_buffer::AyaRingBuffer;

use crate::event::{Counters, KEY_SIZE, Process, Recent, Watched};
use crate::own_map::OwnMap;
use crate::report::Contents;
use crate::settings::Settings;

// ANCHOR: load
pub fn load(settings: &Settings) -> Result<Ebpf> {
    let kernel = Kernel::open()?;
    let offsets = [
        ("DENTRY_D_PARENT", kernel.offset("dentry", "d_parent")?),
        ("DENTRY_D_NAME", kernel.offset("dentry", "d_name.name")?),
        ("DENTRY_D_INODE", kernel.offset("dentry", "d_inode")?),
        ("DENTRY_D_SB", kernel.offset("dentry", "d_sb")?),
        ("INODE_I_INO", kernel.offset("inode", "i_ino")?),
        ("SUPER_BLOCK_S_DEV", kernel.offset("super_block", "s_dev")?),
    ];
    let mut loader = EbpfLoader::new();
    for (name, offset) in &offsets {
        loader.override_global(name, offset, true);
    }
    let Watched { inode, device } = settings.watched;
    loader
        .override_global("WATCHED", &[inode, device], true)
        .map_max_entries("changes", settings.buffer)
        .map_max_entries("processes", settings.processes)
        .load(aya::include_bytes_aligned!(concat!(
            env!("OUT_DIR"),
            "/maps-ebpf"
        )))
        .context("cannot load the program")
}
// ANCHOR_END: load

/// Dropping the links detaches the programs.
pub fn attach(ebpf: &mut Ebpf, hooks: &[&str]) -> Result<Vec<KProbeLink>> {
    let mut links = Vec::new();
    for hook in hooks {
        let program = ebpf.program_mut(&format!("on_{hook}"));
        let program: &mut KProbe = program
            .with_context(|| format!("cannot find on_{hook}"))?
            .try_into()?;
        program
            .load()
            .with_context(|| format!("cannot load on_{hook}"))?;
        let function = format!("security_inode_{hook}");
        let link = program.attach(&function, 0);
        let link = link.with_context(|| format!("cannot attach on_{hook} to {function}"))?;
        links.push(program.take_link(link)?);
    }
    Ok(links)
}

pub fn read_changes(ebpf: &mut Ebpf) -> Result<AyaRingBuffer> {
    AyaRingBuffer::open(ebpf, "changes")
}

// ANCHOR: pause
pub fn pause(ebpf: &mut Ebpf, paused: bool) -> Result<()> {
    let map = ebpf.map_mut(".data.paused").context("cannot find PAUSED")?;
    let mut array = Array::<_, u64>::try_from(map)?;
    array
        .set(0, u64::from(paused), 0)
        .context("cannot write PAUSED")
}
// ANCHOR_END: pause

// ANCHOR: read
pub fn read_contents(ebpf: &Ebpf) -> Result<Contents> {
    type ProcessBytes = [u8; size_of::<Process>()];
    type RecentBytes = [u8; size_of::<Recent>()];

    let counters = Array::<_, [u8; size_of::<Counters>()]>::try_from(map(ebpf, ".data.counters")?)?;
    let processes = HashMap::<_, u32, ProcessBytes>::try_from(map(ebpf, "processes")?)?;
    let recent = HashMap::<_, [u8; KEY_SIZE], RecentBytes>::try_from(map(ebpf, "recent")?)?;
    let mut contents = Contents {
        counters: record::from_bytes(&counters.get(&0, 0)?)?,
        processes: Vec::new(),
        recent: Vec::new(),
    };
    for entry in processes.iter() {
        let (pid, bytes) = entry.context("cannot read the map processes")?;
        contents.processes.push((pid, record::from_bytes(&bytes)?));
    }
    for entry in recent.iter() {
        let (name, bytes) = entry.context("cannot read the map recent")?;
        contents.recent.push((name, record::from_bytes(&bytes)?));
    }
    Ok(contents)
}
// ANCHOR_END: read

// ANCHOR: proof
pub fn list_maps(ebpf: &Ebpf) -> Result<Vec<OwnMap>> {
    let mut ids = BTreeSet::new();
    for (name, program) in ebpf.programs() {
        let info = program
            .info()
            .with_context(|| format!("cannot look at {name}"))?;
        ids.extend(info.map_ids()?.unwrap_or_default());
    }
    let mut maps = Vec::new();
    for id in ids {
        let info = MapInfo::from_id(id)?;
        maps.push(OwnMap {
            id,
            name: info.name_as_str().unwrap_or_default().to_owned(),
            map_type: info.map_type()? as u32,
            key_size: info.key_size(),
            value_size: info.value_size(),
            max_entries: info.max_entries(),
        });
    }
    Ok(maps)
}

pub fn read_watched(ebpf: &Ebpf) -> Result<Watched> {
    let array = Array::<_, [u64; 2]>::try_from(map(ebpf, ".rodata.watched")?)?;
    let [inode, device] = array.get(&0, 0).context("cannot read WATCHED")?;
    Ok(Watched { inode, device })
}

/// Tries to write, and returns whether the kernel refused.
pub fn write_watched(ebpf: &mut Ebpf) -> Result<bool> {
    let map = ebpf
        .map_mut(".rodata.watched")
        .context("cannot find WATCHED")?;
    match Array::<_, [u64; 2]>::try_from(map)?.set(0, [0; 2], 0) {
        Ok(()) => Ok(false),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == ErrorKind::PermissionDenied =>
        {
            Ok(true)
        }
        Err(error) => Err(error).context("cannot write WATCHED"),
    }
}
// ANCHOR_END: proof

fn map<'a>(ebpf: &'a Ebpf, name: &str) -> Result<&'a Map> {
    ebpf.map(name)
        .with_context(|| format!("cannot find the map {name}"))
}
