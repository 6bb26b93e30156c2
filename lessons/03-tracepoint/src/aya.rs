//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::PerCpuArray;
use aya::programs::{BtfTracePoint, RawTracePoint, TracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use common::NotReady;
use common::btf::Kernel;
use common::ring_buffer::AyaRingBuffer;

use crate::format::CATEGORY;
use crate::way::{EVENT, Way, find_payload};

// ANCHOR: load
pub fn load(ways: &[Way], buffer: u32) -> Result<Ebpf> {
    let [filename, pid, old_pid] = find_payload(ways)?;
    let mut offsets = vec![
        ("PAYLOAD_FILENAME", filename),
        ("PAYLOAD_PID", pid),
        ("PAYLOAD_OLD_PID", old_pid),
    ];
    if ways != [Way::Tracepoint] {
        offsets.extend(find_fields()?);
    }
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracepoint-ebpf"));
    // `Ebpf::load` does the same, but in aya 0.14 it parses the kernel's BTF twice.
    let mut loader = EbpfLoader::new();
    for (name, offset) in &offsets {
        loader.override_global(name, offset, true);
    }
    loader.map_max_entries("EVENTS", buffer);
    loader.load(object).context("cannot load the programs")
}

/// Where the fields of the kernel's structs are. The programs in C need none of these: they have
/// CO-RE.
fn find_fields() -> Result<[(&'static str, u32); 6], NotReady> {
    let kernel = Kernel::open()?;
    let real_parent = kernel.offset("task_struct", "real_parent")?;
    let bprm_filename = kernel.offset("linux_binprm", "filename")?;
    Ok([
        ("TASK_STRUCT_TGID", kernel.offset("task_struct", "tgid")?),
        ("TASK_STRUCT_REAL_PARENT", real_parent),
        ("TASK_STRUCT_CRED", kernel.offset("task_struct", "cred")?),
        ("TASK_STRUCT_COMM", kernel.offset("task_struct", "comm")?),
        ("CRED_UID", kernel.offset("cred", "uid.val")?),
        ("LINUX_BINPRM_FILENAME", bprm_filename),
    ])
}
// ANCHOR_END: load

// ANCHOR: attach
/// The links stay in `ebpf`: dropping it detaches the programs.
pub fn attach(ebpf: &mut Ebpf, ways: &[Way]) -> Result<()> {
    for way in ways {
        attach_one(ebpf, *way).with_context(|| format!("cannot attach to {EVENT} as {way:?}"))?;
    }
    Ok(())
}

fn attach_one(ebpf: &mut Ebpf, way: Way) -> Result<()> {
    match way {
        Way::Tracepoint => {
            let program = ebpf.program_mut("exec_tracepoint").context("no program")?;
            let program: &mut TracePoint = program.try_into()?;
            program.load()?;
            program.attach(CATEGORY, EVENT)?;
        }
        Way::Raw => {
            let program = ebpf.program_mut("exec_raw").context("no program")?;
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(EVENT)?;
        }
        Way::Btf => {
            let program = ebpf.program_mut("exec_btf").context("no program")?;
            let program: &mut BtfTracePoint = program.try_into()?;
            // The verifier must already know the event when it checks the program.
            program.load(EVENT, &Btf::from_sys_fs()?)?;
            program.attach()?;
        }
    }
    Ok(())
}
// ANCHOR_END: attach

pub fn read_events(ebpf: &mut Ebpf) -> Result<AyaRingBuffer> {
    AyaRingBuffer::open(ebpf, "EVENTS")
}

// ANCHOR: lost
pub fn read_lost(ebpf: &Ebpf) -> Result<u64> {
    let map = ebpf.map("LOST").context("cannot find the map LOST")?;
    let each_cpu = PerCpuArray::<_, u64>::try_from(map)?.get(&0, 0);
    Ok(each_cpu.context("cannot read the map LOST")?.iter().sum())
}
// ANCHOR_END: lost
