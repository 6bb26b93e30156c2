//! User side with libbpf-rs: loads the programs that clang built.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore, MapFlags, OpenObject, Program, ProgramMut, RingBuffer,
    RingBufferBuilder,
};

use crate::event::{Event, Totals};
use crate::function::FUNCTION;
use crate::tracer::{self, RunTime, Settings, Way};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/watch.skel.rs"));
}
use skeleton::{WatchSkel, WatchSkelBuilder};

/// The ring buffer hands each message to a closure, which puts it here.
type Arrived = Rc<RefCell<Vec<Result<Event>>>>;

pub struct Tracer<'a> {
    skeleton: WatchSkel<'a>,
    events: RingBuffer<'static>,
    arrived: Arrived,
    // Dropping a link detaches its program; nothing stays behind in the kernel.
    fentry: Option<[Link; 2]>,
    kprobe: Option<[Link; 2]>,
}

impl<'a> Tracer<'a> {
    pub fn load(storage: &'a mut MaybeUninit<OpenObject>, settings: &Settings) -> Result<Self> {
        let skeleton = open(storage, settings)?;
        let arrived = Arrived::default();
        let events = collect(&skeleton.maps.events, Rc::clone(&arrived))?;
        Ok(Self {
            skeleton,
            events,
            arrived,
            fentry: None,
            kprobe: None,
        })
    }
}

// ANCHOR: load
fn open<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<WatchSkel<'a>> {
    let mut open = WatchSkelBuilder::default()
        .open(storage)
        .context("open the programs")?;
    open.maps.starts.set_max_entries(settings.in_flight)?;
    open.maps.calls.set_max_entries(settings.in_flight)?;
    open.maps.events.set_max_entries(settings.ring_buffer)?;
    let globals = open.maps.rodata_data.as_mut().context("find the globals")?;
    globals.pid = settings.pid;
    globals.comm = settings.comm.map(u8::cast_signed);
    globals.slower_than = settings.slower_than_nanos();
    globals.failed = settings.failed;
    // A kernel without kprobes refuses their programs even when nobody attaches them.
    let [fentry, kprobe] = Way::ALL.map(|way| settings.ways.contains(&way));
    open.progs.open_enter.set_autoload(fentry);
    open.progs.open_exit.set_autoload(fentry);
    open.progs.open_enter_probe.set_autoload(kprobe);
    open.progs.open_exit_probe.set_autoload(kprobe);
    open.load().context("load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// The exits first: an entry that no exit follows would leave its note in the map.
fn attach_fentry(skeleton: &WatchSkel<'_>) -> Result<[Link; 2]> {
    Ok([
        skeleton.progs.open_exit.attach_trace()?,
        skeleton.progs.open_enter.attach_trace()?,
    ])
}

fn attach_kprobe(skeleton: &WatchSkel<'_>) -> Result<[Link; 2]> {
    let exit = skeleton
        .progs
        .open_exit_probe
        .attach_kprobe(true, FUNCTION)?;
    Ok([
        exit,
        skeleton
            .progs
            .open_enter_probe
            .attach_kprobe(false, FUNCTION)?,
    ])
}
// ANCHOR_END: attach

impl tracer::Tracer for Tracer<'_> {
    fn attach(&mut self, way: Way) -> Result<()> {
        match way {
            Way::Fentry => self.fentry = Some(attach_fentry(&self.skeleton)?),
            Way::Kprobe => self.kprobe = Some(attach_kprobe(&self.skeleton)?),
        }
        Ok(())
    }

    fn detach(&mut self, way: Way) {
        match way {
            Way::Fentry => drop(self.fentry.take()),
            Way::Kprobe => drop(self.kprobe.take()),
        }
    }

    fn events(&mut self, wait: Duration) -> Result<Vec<Event>> {
        match self.events.poll(wait) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(error).context("wait for events")
            }
            _ => self.arrived.take().into_iter().collect(),
        }
    }

    fn totals(&self, way: Way) -> Result<Totals> {
        let map = &self.skeleton.maps.totals;
        let cpus = map
            .lookup_percpu(&way.index().to_ne_bytes(), MapFlags::ANY)
            .context("read map totals")?;
        let totals = cpus
            .iter()
            .flatten()
            .map(|bytes| tracer::decode(bytes))
            .collect::<Result<Vec<_>>>()?;
        Ok(tracer::sum(&totals))
    }

    fn run_time(&self, way: Way) -> Result<RunTime> {
        let programs = &self.skeleton.progs;
        let [enter, exit] = match way {
            Way::Fentry => [&programs.open_enter, &programs.open_exit],
            Way::Kprobe => [&programs.open_enter_probe, &programs.open_exit_probe],
        };
        let ids = [id(enter)?, id(exit)?];
        let mut sum = RunTime::default();
        for info in ProgInfoIter::default().filter(|info| ids.contains(&info.id)) {
            sum.time += Duration::from_nanos(info.run_time_ns);
            sum.runs += info.run_cnt;
        }
        Ok(sum)
    }
}

fn collect(map: &dyn MapCore, arrived: Arrived) -> Result<RingBuffer<'static>> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |bytes| {
        arrived.borrow_mut().push(tracer::decode(bytes));
        0
    })?;
    builder.build().context("open the ring buffer")
}

fn id(program: &ProgramMut<'_>) -> Result<u32> {
    Program::id_from_fd(program.as_fd()).context("ask for a program's id")
}
