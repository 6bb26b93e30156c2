//! User side with aya: loads the program that rustc and bpf-linker built.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::Lsm;
use aya::{Btf, Ebpf, EbpfLoader};

use crate::command::Running;
use crate::event::COUNTS;
use crate::offsets;
use crate::policy::{Policy, Program};
use crate::session::{BATCH, Session};

pub fn run(policy: &Policy, session: &mut Session<'_>) -> Result<u8> {
    let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
    let mut ebpf = load(policy, &btf)?;
    attach(&mut ebpf, policy, &btf)?;
    let mut events = RingBuf::try_from(ebpf.take_map("EVENTS").context("find the map EVENTS")?)?;
    // Made after the links and so dropped before them: whatever goes wrong, COMMAND ends before the
    // policy.
    let mut command = Running::start(policy)?;
    session.started(&command);
    // Asked first: once nobody runs any more, all that there is to report lies in the ring buffer.
    while command.goes_on()? {
        receive(&mut events, session)?;
        command.wait(events.as_fd())?;
    }
    receive(&mut events, session)?;
    let counts = counts(&ebpf)?;
    // Dropping the links detaches the programs: the directory is open to everyone again.
    drop(ebpf);
    session.detached(&command, counts)
}

// ANCHOR: load
fn load(policy: &Policy, btf: &Btf) -> Result<Ebpf> {
    let object = ::aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lsm-ebpf"));
    let audit = u32::from(policy.audit);
    let offsets = offsets::read()?;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(btf))
        .override_global("POLICY_PID", &policy.pid, true)
        .override_global("AUDIT", &audit, true)
        .override_global("DIR_DEVICE", &policy.directory.device, true)
        .override_global("DIR_INODE", &policy.directory.inode, true)
        .map_max_entries("COVERED", policy.max_tasks);
    // rustc writes no relocations: where the fields lie on this kernel comes in more globals.
    for (global, offset) in &offsets {
        loader.override_global(global, offset, true);
    }
    loader.load(object).context("load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(ebpf: &mut Ebpf, policy: &Policy, btf: &Btf) -> Result<()> {
    for Program { name, hook } in policy.programs() {
        let program: &mut Lsm = ebpf
            .program_mut(name)
            .with_context(|| format!("find program {name}"))?
            .try_into()?;
        program
            .load(hook, btf)
            .with_context(|| format!("load {name}"))?;
        program
            .attach()
            .with_context(|| format!("attach {name} to {hook}"))?;
    }
    Ok(())
}
// ANCHOR_END: attach

fn receive(events: &mut RingBuf<MapData>, session: &mut Session<'_>) -> Result<()> {
    for _ in 0..BATCH {
        let Some(bytes) = events.next() else { break };
        session.show(&bytes)?;
    }
    Ok(())
}

fn counts(ebpf: &Ebpf) -> Result<[u64; COUNTS]> {
    let map: Array<_, u64> = ebpf
        .map("COUNTS")
        .context("find the map COUNTS")?
        .try_into()?;
    let mut counts = [0; COUNTS];
    for (index, count) in (0..).zip(&mut counts) {
        *count = map.get(&index, 0).context("read the map COUNTS")?;
    }
    Ok(counts)
}
