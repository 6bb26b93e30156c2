//! User side with aya: loads the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::{MapData, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, RawTracePoint, TracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use rustix::event::{PollFd, PollFlags, poll};

use crate::event::Event;
use crate::session::{Sender, Session, WAIT};
use crate::settings::Settings;
use crate::way::{CATEGORY, EVENT, Way};

pub fn run(settings: &Settings, session: &mut Session) -> Result<()> {
    let mut ebpf = load(settings)?;
    let mut events = RingBuf::try_from(ebpf.take_map("EVENTS").context("find map EVENTS")?)?;
    let lost = PerCpuArray::try_from(ebpf.take_map("LOST").context("find map LOST")?)?;
    attach(&mut ebpf, settings)?;
    session.attached()?;
    while session.goes_on()? {
        wait(&events)?;
        receive(&mut events, &session.sender());
    }
    // Dropping the links detaches the programs; what they have sent until then still counts.
    drop(ebpf);
    receive(&mut events, &session.sender());
    session.detached(|way| count_lost(&lost, way))
}

// ANCHOR: load
fn load(settings: &Settings) -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracepoint-ebpf"));
    // `Ebpf::load` does the same, but aya 0.14 then reads and parses the kernel's BTF twice.
    let mut loader = EbpfLoader::new();
    loader.map_max_entries("EVENTS", settings.buffer);
    if let Some(payload) = &settings.payload {
        loader
            .override_global("PAYLOAD_FILENAME", &payload.filename, true)
            .override_global("PAYLOAD_PID", &payload.pid, true)
            .override_global("PAYLOAD_OLD_PID", &payload.old_pid, true);
    }
    if let Some(structs) = &settings.structs {
        loader
            .override_global("TASK_TGID", &structs.task_tgid, true)
            .override_global("TASK_REAL_PARENT", &structs.task_real_parent, true)
            .override_global("TASK_CRED", &structs.task_cred, true)
            .override_global("TASK_COMM", &structs.task_comm, true)
            .override_global("CRED_UID", &structs.cred_uid, true)
            .override_global("BPRM_FILENAME", &structs.bprm_filename, true);
    }
    loader
        .load(object)
        .map_err(|error| settings.not_loaded(error.into()))
}
// ANCHOR_END: load

// ANCHOR: attach
fn attach(ebpf: &mut Ebpf, settings: &Settings) -> Result<()> {
    for way in &settings.ways {
        attach_one(ebpf, *way).with_context(|| format!("attach {way} to {EVENT}"))?;
    }
    Ok(())
}

fn attach_one(ebpf: &mut Ebpf, way: Way) -> Result<()> {
    match way {
        Way::Tracepoint => {
            let program: &mut TracePoint = ebpf
                .program_mut("exec_tracepoint")
                .context("no program")?
                .try_into()?;
            program.load()?;
            program.attach(CATEGORY, EVENT)?;
        }
        Way::Raw => {
            let program: &mut RawTracePoint = ebpf
                .program_mut("exec_raw")
                .context("no program")?
                .try_into()?;
            program.load()?;
            program.attach(EVENT)?;
        }
        Way::Btf => {
            let program: &mut BtfTracePoint = ebpf
                .program_mut("exec_btf")
                .context("no program")?
                .try_into()?;
            // The verifier must know the event already when it checks the program.
            program.load(EVENT, &Btf::from_sys_fs()?)?;
            program.attach()?;
        }
    }
    Ok(())
}
// ANCHOR_END: attach

fn receive(events: &mut RingBuf<MapData>, sender: &Sender) {
    while let Some(bytes) = events.next() {
        if let Some(event) = Event::from_bytes(&bytes) {
            // Sending fails only when the session is over, and then nobody misses the event.
            let _ = sender.send(event);
        }
    }
}

fn count_lost(lost: &PerCpuArray<MapData, u64>, way: Way) -> Result<u64> {
    let each_cpu = lost
        .get(&(way as u32), 0)
        .context("read how many events were lost")?;
    Ok(each_cpu.iter().sum())
}

fn wait(events: &RingBuf<MapData>) -> Result<()> {
    let limit = WAIT.try_into().context("convert the time limit")?;
    match poll(&mut [PollFd::new(events, PollFlags::IN)], Some(&limit)) {
        // A signal ends the wait: the session looks at it.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error).context("wait for events"),
    }
}
