//! User side with libbpf-rs: loads the programs that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore, MapFlags, OpenObject, RingBuffer, RingBufferBuilder,
    TracepointCategory,
};

use crate::event::Event;
use crate::session::{Sender, Session, WAIT};
use crate::settings::Settings;
use crate::way::{EVENT, Way};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/tracepoint.skel.rs"));
}
use skeleton::{TracepointSkel, TracepointSkelBuilder};

pub fn run(settings: &Settings, session: &mut Session) -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let skeleton = load(&mut storage, settings)?;
    let events = receive(&skeleton.maps.events, session.sender())?;
    let links = attach(&skeleton, settings)?;
    session.attached()?;
    while session.goes_on()? {
        wait(&events)?;
    }
    // Dropping the links detaches the programs; what they have sent until then still counts.
    drop(links);
    events.consume().context("read the last events")?;
    session.detached(|way| count_lost(&skeleton.maps.lost, way))
}

// ANCHOR: load
fn load<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<TracepointSkel<'a>> {
    let mut open = TracepointSkelBuilder::default()
        .open(storage)
        .context("open the programs")?;
    open.maps.events.set_max_entries(settings.buffer)?;
    if let Some(payload) = &settings.payload {
        let globals = open
            .maps
            .rodata_data
            .as_deref_mut()
            .context("find the globals")?;
        globals.payload_filename = payload.filename;
        globals.payload_pid = payload.pid;
        globals.payload_old_pid = payload.old_pid;
    }
    let wanted = |way| settings.ways.contains(&way);
    open.progs
        .exec_tracepoint
        .set_autoload(wanted(Way::Tracepoint));
    open.progs.exec_raw.set_autoload(wanted(Way::Raw));
    open.progs.exec_btf.set_autoload(wanted(Way::Btf));
    open.load()
        .map_err(|error| settings.not_loaded(error.into()))
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(skeleton: &TracepointSkel<'_>, settings: &Settings) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for way in &settings.ways {
        links.push(attach_one(skeleton, *way).with_context(|| format!("attach {way} to {EVENT}"))?);
    }
    Ok(links)
}

fn attach_one(skeleton: &TracepointSkel<'_>, way: Way) -> libbpf_rs::Result<Link> {
    let programs = &skeleton.progs;
    match way {
        Way::Tracepoint => programs
            .exec_tracepoint
            .attach_tracepoint(TracepointCategory::Sched, EVENT),
        Way::Raw => programs.exec_raw.attach_raw_tracepoint(EVENT),
        // The section of the program named the event; the verifier had to know it when it checked
        // the program.
        Way::Btf => programs.exec_btf.attach_trace(),
    }
}
// ANCHOR_END: attach

fn receive(map: &dyn MapCore, sender: Sender) -> Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |bytes| {
        if let Some(event) = Event::from_bytes(bytes) {
            // Sending fails only when the session is over, and then nobody misses the event.
            let _ = sender.send(event);
        }
        0
    })?;
    builder.build().context("open the ring buffer")
}

fn count_lost(lost: &dyn MapCore, way: Way) -> Result<u64> {
    let each_cpu = lost.lookup_percpu(&(way as u32).to_ne_bytes(), MapFlags::ANY)?;
    let counts = each_cpu.context("read how many events were lost")?;
    Ok(counts
        .iter()
        .filter_map(|count| Some(u64::from_ne_bytes(count[..].try_into().ok()?)))
        .sum())
}

fn wait(events: &RingBuffer<'_>) -> Result<()> {
    match events.poll(WAIT) {
        // A signal ends the wait: the session looks at it.
        Err(error) if error.kind() != ErrorKind::Interrupted => {
            Err(error).context("wait for events")
        }
        _ => Ok(()),
    }
}
