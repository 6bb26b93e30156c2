//! User side with libbpf-rs: loads the program that clang built.

use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::skel::{OpenSkel as _, Skel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore, MapFlags, OpenObject, RingBuffer, RingBufferBuilder};

use crate::command::Running;
use crate::event::COUNTS;
use crate::policy::{Policy, Program};
use crate::session::{BATCH, Session};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/lsm.skel.rs"));
}
use skeleton::{LsmSkel, LsmSkelBuilder};

pub fn run(policy: &Policy, session: &mut Session<'_>) -> Result<u8> {
    let mut storage = MaybeUninit::uninit();
    let mut skeleton = load(policy, &mut storage)?;
    let links = attach(&mut skeleton, policy)?;
    let map = &skeleton.maps.events;
    let (sender, received) = mpsc::channel();
    let events = events(map, sender)?;
    // Made after the links and so dropped before them: whatever goes wrong, COMMAND ends before the
    // policy.
    let mut command = Running::start(policy)?;
    session.started(&command);
    // Asked first: once nobody runs any more, all that there is to report lies in the ring buffer.
    while command.goes_on()? {
        receive(&events, &received, session)?;
        command.wait(map.as_fd())?;
    }
    receive(&events, &received, session)?;
    let counts = counts(&skeleton)?;
    // Dropping the links detaches the programs: the directory is open to everyone again.
    drop(links);
    session.detached(&command, counts)
}

// ANCHOR: load
fn load<'o>(policy: &Policy, storage: &'o mut MaybeUninit<OpenObject>) -> Result<LsmSkel<'o>> {
    let mut open = LsmSkelBuilder::default()
        .open(storage)
        .context("open the program")?;
    let globals = open
        .maps
        .rodata_data
        .as_deref_mut()
        .context("find the globals")?;
    globals.audit = policy.audit.into();
    globals.policy_pid = policy.pid;
    globals.dir_device = policy.directory.device;
    globals.dir_inode = policy.directory.inode;
    open.maps
        .covered
        .set_max_entries(policy.max_tasks)
        .context("size the map covered")?;
    open.progs.witness_open.set_autoload(policy.witness);
    open.load().context("load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(skeleton: &mut LsmSkel<'_>, policy: &Policy) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for Program { name, hook } in policy.programs() {
        let program = skeleton
            .object_mut()
            .progs_mut()
            .find(|program| program.name() == name);
        let program = program.with_context(|| format!("find program {name}"))?;
        links.push(
            program
                .attach_lsm()
                .with_context(|| format!("attach {name} to {hook}"))?,
        );
    }
    Ok(links)
}
// ANCHOR_END: attach

fn events(map: &dyn MapCore, sender: Sender<Vec<u8>>) -> Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |bytes| {
        // Sending fails only when the session is over, and then nobody misses the report.
        let _ = sender.send(bytes.to_vec());
        0
    })?;
    builder.build().context("open the ring buffer")
}

fn receive(
    events: &RingBuffer<'_>,
    received: &Receiver<Vec<u8>>,
    session: &mut Session<'_>,
) -> Result<()> {
    ensure!(events.consume_raw_n(BATCH) >= 0, "read the ring buffer");
    received
        .try_iter()
        .try_for_each(|bytes| session.show(&bytes))
}

fn counts(skeleton: &LsmSkel<'_>) -> Result<[u64; COUNTS]> {
    let mut counts = [0; COUNTS];
    for (index, count) in (0u32..).zip(&mut counts) {
        let value = skeleton
            .maps
            .counts
            .lookup(&index.to_ne_bytes(), MapFlags::ANY);
        let value = value
            .context("read the map counts")?
            .context("read the map counts: it is too small")?;
        *count = u64::from_ne_bytes(
            value
                .as_slice()
                .try_into()
                .context("read a count: it has 8 bytes")?,
        );
    }
    Ok(counts)
}
