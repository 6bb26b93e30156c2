//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::{Array, PerCpuArray};
use aya::programs::fentry::FEntryLink;
use aya::programs::fexit::FExitLink;
use aya::programs::kprobe::KProbeLink;
use aya::programs::{FEntry, FExit, KProbe, Program};
use aya::{Btf, Ebpf, EbpfLoader};
use common::ring_buffer::AyaRingBuffer;

use crate::event::{OpenTotals, ParentReadings};
use crate::row;
use crate::settings::{FUNCTION, Offsets, Settings};
use crate::workload::call_function;

// SAFETY: for both, bytemuck's derive checks that any bytes are a value and that none is padding.
unsafe impl aya::Pod for OpenTotals {}
// SAFETY: as above.
unsafe impl aya::Pod for ParentReadings {}

// ANCHOR: load
/// A loader, and the types of the running kernel. Both read all of these, which takes 0.1 s each in
/// an emulated VM: one loader can load several times.
pub struct Opened<'a> {
    loader: EbpfLoader<'a>,
    btf: Btf,
}

pub fn open(settings: &Settings) -> Result<Opened<'_>> {
    let btf = Btf::from_sys_fs().context("cannot read the kernel's BTF")?;
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries("STARTS", settings.max_calls)
        .map_max_entries("CALLS", settings.max_calls)
        .override_global("PID", &settings.pid, true)
        .override_global("SLOWER_THAN", &settings.slower_than, true)
        .override_global("REAL_PARENT", &settings.real_parent, true)
        .override_global("TGID", &settings.tgid, true);
    Ok(Opened { loader, btf })
}

pub fn load(Opened { loader, btf }: &mut Opened<'_>) -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fentry-fexit-ebpf"));
    let mut ebpf = loader.load(object).context("cannot load the programs")?;
    // The verifier checks these two against the function's prototype, so it must know the function
    // now.
    let enter: &mut FEntry = find_program(&mut ebpf, "open_enter")?.try_into()?;
    enter
        .load(FUNCTION, btf)
        .context("cannot load open_enter")?;
    let exit: &mut FExit = find_program(&mut ebpf, "open_exit")?.try_into()?;
    exit.load(FUNCTION, btf).context("cannot load open_exit")?;
    for name in ["open_enter_probe", "open_exit_probe"] {
        let probe: &mut KProbe = find_program(&mut ebpf, name)?.try_into()?;
        probe
            .load()
            .with_context(|| format!("cannot load {name}"))?;
    }
    Ok(ebpf)
}
// ANCHOR_END: load

// ANCHOR: attach
/// The exit first: an entry that no exit follows would leave its start in the map. Dropping the
/// links detaches both programs.
pub fn attach_fentry(ebpf: &mut Ebpf) -> Result<(FExitLink, FEntryLink)> {
    let exit: &mut FExit = find_program(ebpf, "open_exit")?.try_into()?;
    let exit_id = exit
        .attach()
        .context("cannot attach open_exit to do_sys_openat2")?;
    let exit_link = exit.take_link(exit_id)?;
    let enter: &mut FEntry = find_program(ebpf, "open_enter")?.try_into()?;
    let enter_id = enter
        .attach()
        .context("cannot attach open_enter to do_sys_openat2")?;
    Ok((exit_link, enter.take_link(enter_id)?))
}

pub fn attach_kprobe(ebpf: &mut Ebpf) -> Result<Vec<KProbeLink>> {
    let mut links = Vec::new();
    for name in ["open_exit_probe", "open_enter_probe"] {
        let probe: &mut KProbe = find_program(ebpf, name)?.try_into()?;
        let id = probe.attach(FUNCTION, 0);
        let id = id.with_context(|| format!("cannot attach {name} to {FUNCTION}"))?;
        links.push(probe.take_link(id)?);
    }
    Ok(links)
}
// ANCHOR_END: attach

pub fn read_events(ebpf: &mut Ebpf) -> Result<AyaRingBuffer> {
    AyaRingBuffer::open(ebpf, "EVENTS")
}

/// The totals of one pair of programs, `FEXIT` or `KRETPROBE`.
pub fn read_totals(ebpf: &Ebpf, pair: u32) -> Result<OpenTotals> {
    let map = ebpf.map("TOTALS").context("cannot find the map TOTALS")?;
    let totals: PerCpuArray<_, OpenTotals> = map.try_into()?;
    let cpus = totals.get(&pair, 0).context("cannot read the map TOTALS")?;
    Ok(row::add_up(&cpus))
}

// ANCHOR: ladder
/// Runs the program from rustc, and then the one from clang, for which aya does what libbpf does.
pub fn read_parent(offsets: &Offsets) -> Result<ParentReadings> {
    let rust = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/fentry-fexit-parent"));
    let c = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/parent.bpf.o"));
    let btf = Btf::from_sys_fs().context("cannot read the kernel's BTF")?;
    let names = ["PID", "REAL_PARENT", "TGID", "STATE", "READINGS"];
    let of_rust = run_parent(rust, names, offsets, &btf);
    let of_rust = of_rust.context("cannot use the object from rustc")?;
    let names = ["pid", "real_parent", "tgid", "state", "readings"];
    let of_c = run_parent(c, names, offsets, &btf);
    let of_c = of_c.context("cannot use the object from clang")?;
    Ok(ParentReadings {
        relocated: of_c.relocated,
        state_relocated: of_c.state_relocated,
        ..of_rust
    })
}

fn run_parent(
    object: &[u8],
    [pid, real_parent, tgid, state, readings]: [&str; 5],
    offsets: &Offsets,
    btf: &Btf,
) -> Result<ParentReadings> {
    // With the kernel's BTF, aya corrects every access for which clang noted the field's name.
    let mut ebpf = EbpfLoader::new()
        .override_global(pid, &std::process::id(), true)
        .override_global(real_parent, &offsets.real_parent, true)
        .override_global(tgid, &offsets.tgid, true)
        .override_global(state, &offsets.state, true)
        .load(object)
        .context("cannot load the program")?;
    let program: &mut FEntry = find_program(&mut ebpf, "read_parent")?.try_into()?;
    let loaded = program.load(FUNCTION, btf);
    loaded.context("cannot load read_parent")?;
    let attached = program.attach();
    attached.context("cannot attach read_parent to do_sys_openat2")?;
    call_function()?;
    let map = ebpf.map(readings).context("cannot find the map")?;
    let map: Array<_, ParentReadings> = map.try_into()?;
    map.get(&0, 0).context("cannot read the map")
}
// ANCHOR_END: ladder

fn find_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    ebpf.program_mut(name)
        .with_context(|| format!("cannot find {name}"))
}
