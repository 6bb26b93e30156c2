//! User side with aya: loads the program that rustc and bpf-linker built.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::maps::{Array, HashMap, MapData, MapError, MapInfo, RingBuf};
use aya::programs::KProbe;
use aya::programs::kprobe::KProbeLink;
use aya::{Ebpf, EbpfLoader};
use common::btf::Kernel;
use rustix::event::{PollFd, PollFlags, poll};

use crate::change::Change;
use crate::hook::{self, Hook};
use crate::monitor::{Monitor, Sender};
use crate::own_map::OwnMap;
use crate::records::{self, KEY_SIZE, Watched};
use crate::settings::Settings;
use crate::summary::{Counters, Process, Recent};

pub struct Aya {
    ebpf: Ebpf,
    links: Vec<KProbeLink>,
    changes: RingBuf<MapData>,
    sender: Sender,
}

pub fn start(settings: &Settings, sender: Sender) -> Result<Aya> {
    let mut ebpf = load(settings)?;
    let links = settings
        .hooks
        .iter()
        .map(|hook| attach(&mut ebpf, hook))
        .collect::<Result<_>>()?;
    let changes = ebpf
        .take_map("changes")
        .context("find the map changes")?
        .try_into()?;
    Ok(Aya {
        ebpf,
        links,
        changes,
        sender,
    })
}

// ANCHOR: load
fn load(settings: &Settings) -> Result<Ebpf> {
    let kernel = Kernel::open()?;
    let Watched { inode, device } = settings.watched;
    let offsets = [
        ("DENTRY_PARENT", kernel.offset("dentry", "d_parent")?),
        ("DENTRY_NAME", kernel.offset("dentry", "d_name.name")?),
        ("DENTRY_INODE", kernel.offset("dentry", "d_inode")?),
        ("DENTRY_SUPER_BLOCK", kernel.offset("dentry", "d_sb")?),
        ("INODE_NUMBER", kernel.offset("inode", "i_ino")?),
        ("SUPER_BLOCK_DEVICE", kernel.offset("super_block", "s_dev")?),
    ];
    let mut loader = EbpfLoader::new();
    for (name, offset) in &offsets {
        loader.override_global(name, offset, true);
    }
    loader
        .override_global("WATCHED", &[inode, device], true)
        .override_global("ONLY_PROCESS", &settings.only_process, true)
        .map_max_entries("changes", settings.buffer)
        .map_max_entries("processes", settings.processes)
        .load(aya::include_bytes_aligned!(concat!(
            env!("OUT_DIR"),
            "/maps-ebpf"
        )))
        .context("load the program")
}
// ANCHOR_END: load

fn attach(ebpf: &mut Ebpf, hook: &Hook) -> Result<KProbeLink> {
    let name = hook.program;
    let program: &mut KProbe = ebpf
        .program_mut(name)
        .with_context(|| format!("find program {name}"))?
        .try_into()?;
    program.load().with_context(|| format!("load {name}"))?;
    let link = program
        .attach(hook.function, 0)
        .map_err(|error| hook::not_attached(hook, error.into()))?;
    program
        .take_link(link)
        .with_context(|| format!("keep {name} attached"))
}

impl Monitor for Aya {
    fn wait(&mut self, limit: Duration) -> Result<()> {
        let limit = limit.try_into().context("convert the time limit")?;
        match poll(
            &mut [PollFd::new(&self.changes, PollFlags::IN)],
            Some(&limit),
        ) {
            // A signal ends the wait: the session looks at it.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for changes"),
        }
        while let Some(bytes) = self.changes.next() {
            // Sending fails only when the session is over, and then nobody misses the change.
            let _ = self.sender.send(Change::from_bytes(&bytes));
        }
        Ok(())
    }

    // ANCHOR: pause
    fn pause(&mut self, paused: bool) -> Result<()> {
        let map = self
            .ebpf
            .map_mut(".data.paused")
            .context("find the global PAUSED")?;
        Array::<_, u64>::try_from(map)?
            .set(0, u64::from(paused), 0)
            .context("write the global PAUSED")
    }
    // ANCHOR_END: pause

    fn detach(&mut self) {
        self.links.clear();
    }

    // ANCHOR: read
    fn counters(&self) -> Result<Counters> {
        let map = self
            .ebpf
            .map(".data.counters")
            .context("find the global COUNTERS")?;
        let map = Array::<_, [u8; size_of::<records::Counters>()]>::try_from(map)?;
        Ok(Counters::from_bytes(
            &map.get(&0, 0).context("read the global COUNTERS")?,
        ))
    }

    fn processes(&self) -> Result<Vec<Process>> {
        let map = self
            .ebpf
            .map("processes")
            .context("find the map processes")?;
        let map = HashMap::<_, u32, [u8; size_of::<records::Process>()]>::try_from(map)?;
        let entries = map
            .iter()
            .map(|entry| entry.map(|(pid, value)| Process::from_bytes(pid, &value)));
        entries
            .collect::<Result<_, _>>()
            .context("read the map processes")
    }

    fn recent(&self) -> Result<Vec<Recent>> {
        let map = self.ebpf.map("recent").context("find the map recent")?;
        let map = HashMap::<_, [u8; KEY_SIZE], [u8; size_of::<records::Recent>()]>::try_from(map)?;
        let entries = map
            .iter()
            .map(|entry| entry.map(|(name, value)| Recent::from_bytes(&name, &value)));
        entries
            .collect::<Result<_, _>>()
            .context("read the map recent")
    }
    // ANCHOR_END: read

    // ANCHOR: proof
    fn maps(&self) -> Result<Vec<OwnMap>> {
        let mut ids = BTreeSet::new();
        for (name, program) in self.ebpf.programs() {
            // Those that --kind left out are not loaded, and the kernel knows nothing of them.
            let Ok(info) = program.info() else { continue };
            ids.extend(
                info.map_ids()
                    .with_context(|| format!("ask for the maps of {name}"))?
                    .unwrap_or_default(),
            );
        }
        ids.into_iter()
            .map(|id| describe(&MapInfo::from_id(id)?))
            .collect()
    }

    fn watched(&self) -> Result<Watched> {
        let map = self
            .ebpf
            .map(".rodata.watched")
            .context("find the global WATCHED")?;
        let [inode, device] = Array::<_, [u64; 2]>::try_from(map)?.get(&0, 0)?;
        Ok(Watched { inode, device })
    }

    fn watched_is_frozen(&mut self) -> Result<bool> {
        let map = self
            .ebpf
            .map_mut(".rodata.watched")
            .context("find the global WATCHED")?;
        match Array::<_, [u64; 2]>::try_from(map)?.set(0, [0; 2], 0) {
            Ok(()) => Ok(false),
            Err(MapError::SyscallError(error))
                if error.io_error.kind() == ErrorKind::PermissionDenied =>
            {
                Ok(true)
            }
            Err(error) => Err(error).context("write the global WATCHED"),
        }
    }
    // ANCHOR_END: proof
}

fn describe(info: &MapInfo) -> Result<OwnMap> {
    Ok(OwnMap {
        id: info.id(),
        name: info.name_as_str().unwrap_or_default().to_owned(),
        kind: info.map_type()? as u32,
        key_size: info.key_size(),
        value_size: info.value_size(),
        max_entries: info.max_entries(),
    })
}
