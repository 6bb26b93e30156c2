//! Loads, attaches and reads with aya the program that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, PerCpuArray, StackTraceMap};
use aya::programs::PerfEvent;
use aya::programs::perf_event::{
    PerfEventConfig, PerfEventLink, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::{Ebpf, EbpfLoader};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use crate::event::{SampleKey, SampleTotals};
use crate::settings::Settings;
use crate::stack::SampledStack;

// SAFETY: for both, bytemuck's derive checks that any bytes are a value and that none is padding.
unsafe impl aya::Pod for SampleKey {}
// SAFETY: as above.
unsafe impl aya::Pod for SampleTotals {}

// ANCHOR: load
pub fn load(settings: &Settings) -> Result<Ebpf> {
    // Up to Linux 5.10 maps count as locked memory, which even for root is limited. An error here
    // does not matter to newer kernels. libbpf does this without being asked.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler-ebpf"));
    let mut ebpf = EbpfLoader::new()
        .override_global("PID", &settings.pid, true)
        .map_max_entries("STACKS", settings.max_stacks)
        .map_max_entries("COUNTS", settings.max_stacks)
        .load(object)
        .context("cannot load the program")?;
    find_program(&mut ebpf)?
        .load()
        .context("cannot load take_sample")?;
    Ok(ebpf)
}
// ANCHOR_END: load

// ANCHOR: attach
/// One event for each CPU. Dropping the links ends the sampling.
pub fn attach(ebpf: &mut Ebpf, settings: &Settings) -> Result<Vec<PerfEventLink>> {
    let program = find_program(ebpf)?;
    let mut links = Vec::new();
    for &cpu in &settings.cpus {
        let id = program.attach(
            PerfEventConfig::Software(SoftwareEvent::CpuClock),
            PerfEventScope::AllProcessesOneCpu { cpu },
            SamplePolicy::Frequency(settings.frequency),
            false,
        );
        let id = id.with_context(|| format!("cannot attach take_sample to the clock of CPU {cpu}"));
        links.push(program.take_link(id?)?);
    }
    Ok(links)
}
// ANCHOR_END: attach

/// The sum over all CPUs.
pub fn read_totals(ebpf: &Ebpf) -> Result<SampleTotals> {
    let totals: PerCpuArray<_, SampleTotals> = find_map(ebpf, "TOTALS")?.try_into()?;
    let cpus = totals.get(&0, 0).context("cannot read the map TOTALS")?;
    Ok(cpus.iter().copied().sum())
}

// ANCHOR: read
pub fn read_stacks(ebpf: &Ebpf) -> Result<Vec<SampledStack>> {
    let counts: HashMap<_, SampleKey, u64> = find_map(ebpf, "COUNTS")?.try_into()?;
    let stacks = StackTraceMap::try_from(find_map(ebpf, "STACKS")?)?;
    let mut sampled = Vec::new();
    for entry in counts.iter() {
        let (key, count) = entry.context("cannot read the map COUNTS")?;
        sampled.push(SampledStack {
            key,
            count,
            user: read_frames(&stacks, key.user_stack)?,
            kernel: read_frames(&stacks, key.kernel_stack)?,
        });
    }
    Ok(sampled)
}

fn read_frames(stacks: &StackTraceMap<&aya::maps::MapData>, id: i32) -> Result<Vec<u64>> {
    // An error in place of the key.
    let Ok(id) = u32::try_from(id) else {
        return Ok(Vec::new());
    };
    let stack = stacks.get(&id, 0).context("cannot read the map STACKS")?;
    Ok(stack.frames().iter().map(|frame| frame.ip).collect())
}
// ANCHOR_END: read

fn find_program(ebpf: &mut Ebpf) -> Result<&mut PerfEvent> {
    let program = ebpf.program_mut("take_sample");
    Ok(program.context("cannot find take_sample")?.try_into()?)
}

fn find_map<'a>(ebpf: &'a Ebpf, name: &str) -> Result<&'a Map> {
    ebpf.map(name)
        .with_context(|| format!("cannot find the map {name}"))
}
