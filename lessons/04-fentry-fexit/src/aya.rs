//! User side with aya: loads the programs that rustc and bpf-linker built.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, PerCpuArray, RingBuf};
use aya::programs::fentry::FEntryLink;
use aya::programs::fexit::FExitLink;
use aya::programs::kprobe::KProbeLink;
use aya::programs::{FEntry, FExit, KProbe, Program};
use aya::{Btf, Ebpf, EbpfLoader};
use rustix::event::{PollFd, PollFlags, poll};

use crate::event::{Event, Totals};
use crate::function::FUNCTION;
use crate::tracer::{self, RunTime, Settings, Way};

pub struct Tracer {
    ebpf: Ebpf,
    events: RingBuf<MapData>,
    // Dropping a link detaches its program; nothing stays behind in the kernel.
    fentry: Option<(FExitLink, FEntryLink)>,
    kprobe: Option<(KProbeLink, KProbeLink)>,
}

impl Tracer {
    pub fn load(settings: &Settings) -> Result<Self> {
        // fentry needs the kernel's BTF too, so we read it ourselves, and once.
        let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
        let mut ebpf = open(settings, &btf)?;
        // A kernel without kprobes refuses their programs even when nobody attaches them.
        for way in &settings.ways {
            match way {
                Way::Fentry => load_fentry(&mut ebpf, &btf)?,
                Way::Kprobe => load_kprobe(&mut ebpf)?,
            }
        }
        let events = take(&mut ebpf, "EVENTS")?;
        Ok(Self {
            ebpf,
            events: RingBuf::try_from(events)?,
            fentry: None,
            kprobe: None,
        })
    }
}

// ANCHOR: load
fn open(settings: &Settings, btf: &Btf) -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fentry-fexit-ebpf"));
    EbpfLoader::new()
        .btf(Some(btf))
        .map_max_entries("STARTS", settings.in_flight)
        .map_max_entries("CALLS", settings.in_flight)
        .map_max_entries("EVENTS", settings.ring_buffer)
        .override_global("PID", &settings.pid, true)
        .override_global("COMM", &settings.comm, true)
        .override_global("SLOWER_THAN", &settings.slower_than_nanos(), true)
        .override_global("FAILED", &u8::from(settings.failed), true)
        .override_global("REAL_PARENT", &settings.real_parent, true)
        .override_global("TGID", &settings.tgid, true)
        .load(object)
        .context("load the programs")
}

/// The verifier checks these programs against the function's prototype, so it must know the
/// function now.
fn load_fentry(ebpf: &mut Ebpf, btf: &Btf) -> Result<()> {
    let enter: &mut FEntry = program(ebpf, "open_enter")?.try_into()?;
    enter.load(FUNCTION, btf).context("load open_enter")?;
    let exit: &mut FExit = program(ebpf, "open_exit")?.try_into()?;
    exit.load(FUNCTION, btf).context("load open_exit")
}

fn load_kprobe(ebpf: &mut Ebpf) -> Result<()> {
    for name in ["open_enter_probe", "open_exit_probe"] {
        let program: &mut KProbe = program(ebpf, name)?.try_into()?;
        program.load().with_context(|| format!("load {name}"))?;
    }
    Ok(())
}
// ANCHOR_END: load

// ANCHOR: attach
/// The exits first: an entry that no exit follows would leave its note in the map.
fn attach_fentry(ebpf: &mut Ebpf) -> Result<(FExitLink, FEntryLink)> {
    let exit: &mut FExit = program(ebpf, "open_exit")?.try_into()?;
    let link = exit.attach()?;
    let exit = exit.take_link(link)?;
    let enter: &mut FEntry = program(ebpf, "open_enter")?.try_into()?;
    let link = enter.attach()?;
    Ok((exit, enter.take_link(link)?))
}

fn attach_kprobe(ebpf: &mut Ebpf) -> Result<(KProbeLink, KProbeLink)> {
    let mut attach = |name| -> Result<KProbeLink> {
        let program: &mut KProbe = program(ebpf, name)?.try_into()?;
        let link = program.attach(FUNCTION, 0)?;
        Ok(program.take_link(link)?)
    };
    Ok((attach("open_exit_probe")?, attach("open_enter_probe")?))
}
// ANCHOR_END: attach

impl tracer::Tracer for Tracer {
    fn attach(&mut self, way: Way) -> Result<()> {
        match way {
            Way::Fentry => self.fentry = Some(attach_fentry(&mut self.ebpf)?),
            Way::Kprobe => self.kprobe = Some(attach_kprobe(&mut self.ebpf)?),
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
        let limit = wait.try_into().context("convert the time limit")?;
        match poll(
            &mut [PollFd::new(&self.events, PollFlags::IN)],
            Some(&limit),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        let mut events = Vec::new();
        while let Some(bytes) = self.events.next() {
            events.push(tracer::decode(&bytes)?);
        }
        Ok(events)
    }

    fn totals(&self, way: Way) -> Result<Totals> {
        let map = self.ebpf.map("TOTALS").context("find map TOTALS")?;
        let totals: PerCpuArray<_, Totals> = map.try_into()?;
        Ok(tracer::sum(
            totals
                .get(&way.index(), 0)
                .context("read map TOTALS")?
                .iter(),
        ))
    }

    fn run_time(&self, way: Way) -> Result<RunTime> {
        let mut sum = RunTime::default();
        let names = match way {
            Way::Fentry => ["open_enter", "open_exit"],
            Way::Kprobe => ["open_enter_probe", "open_exit_probe"],
        };
        for name in names {
            let program = self
                .ebpf
                .program(name)
                .with_context(|| format!("find program {name}"))?;
            let info = program
                .info()
                .with_context(|| format!("ask about {name}"))?;
            sum.time += info.run_time();
            sum.runs += info.run_count();
        }
        Ok(sum)
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    ebpf.program_mut(name)
        .with_context(|| format!("find program {name}"))
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name)
        .with_context(|| format!("find map {name}"))
}
