//! Loads, runs and asks about the program with aya, and asks what the kernel offers.

use anyhow::{Context as _, Result};
use aya::maps::MapType;
use aya::programs::{LsmAttachType, ProgramType, TestRun as _, TestRunOptions, Xdp};
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported};
use aya::{Ebpf, EbpfLoader};

use crate::features::{MapSupport, NOISY_HELPERS, ProgramSupport, try_program_types};
use crate::loaded_program::LoadedProgram;

pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/intro-ebpf"));

const MAP_TYPES: [(&str, MapType); 11] = [
    ("hash", MapType::Hash),
    ("array", MapType::Array),
    ("lru_hash", MapType::LruHash),
    ("percpu_array", MapType::PerCpuArray),
    ("lpm_trie", MapType::LpmTrie),
    ("perf_event_array", MapType::PerfEventArray),
    ("ringbuf", MapType::RingBuf),
    ("task_storage", MapType::TaskStorage),
    ("bloom_filter", MapType::BloomFilter),
    ("user_ringbuf", MapType::UserRingBuf),
    ("cgrp_storage", MapType::CgrpStorage),
];

const PROGRAM_TYPES: [(&str, ProgramType); 10] = [
    ("kprobe", ProgramType::KProbe),
    ("tracepoint", ProgramType::TracePoint),
    ("raw_tracepoint", ProgramType::RawTracePoint),
    ("tracing", ProgramType::Tracing),
    ("lsm", ProgramType::Lsm(LsmAttachType::Mac)),
    ("xdp", ProgramType::Xdp),
    ("sched_cls", ProgramType::SchedClassifier),
    ("struct_ops", ProgramType::StructOps),
    ("syscall", ProgramType::Syscall),
    ("netfilter", ProgramType::Netfilter),
];

// ANCHOR: load
pub fn load() -> Result<Ebpf> {
    // `Ebpf::load` does the same, but in aya 0.14 it parses the kernel's BTF twice.
    let mut ebpf = EbpfLoader::new()
        .load(OBJECT)
        .context("cannot open the program")?;
    let program = find_intro(&mut ebpf)?;
    program.load().context("cannot load intro")?;
    Ok(ebpf)
}

pub fn run_once(ebpf: &mut Ebpf, packet: &[u8]) -> Result<u32> {
    let options = TestRunOptions {
        data_in: Some(packet),
        ..TestRunOptions::new()
    };
    let run = find_intro(ebpf)?.test_run(options);
    Ok(run.context("cannot run intro")?.return_value)
}

pub fn read_info(ebpf: &mut Ebpf) -> Result<LoadedProgram> {
    let info = find_intro(ebpf)?.info();
    let info = info.context("cannot read what the kernel says about intro")?;
    let translated = info.size_translated();
    Ok(LoadedProgram {
        verified_insns: info.verified_instruction_count(),
        xlated_prog_len: translated.context("cannot read the size of intro")? as usize,
        jited_prog_len: info.size_jitted() as usize,
    })
}

fn find_intro(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut("intro").context("cannot find intro")?;
    Ok(program.try_into()?)
}
// ANCHOR_END: load

pub fn try_maps() -> Vec<MapSupport> {
    let tried = MAP_TYPES.map(|(name, kind)| MapSupport {
        name,
        available: is_map_supported(kind).ok(),
    });
    tried.into()
}

pub fn try_programs() -> Result<Vec<ProgramSupport>> {
    let is_supported = |kind| is_program_supported(kind).ok();
    try_program_types(&PROGRAM_TYPES, is_supported, count_helpers)
}

// ANCHOR: helpers
fn count_helpers(kind: ProgramType) -> Result<usize> {
    let mut count = 0;
    for id in 1..BpfHelper::__BPF_FUNC_MAX_ID as u32 {
        if NOISY_HELPERS.contains(&id) {
            continue;
        }
        // SAFETY: aya's enum has the layout of a u32 and a value for every number below its last.
        let helper = unsafe { std::mem::transmute::<u32, BpfHelper>(id) };
        let supported = is_helper_supported(kind, helper);
        if supported.with_context(|| format!("cannot try helper {id}"))? {
            count += 1;
        }
    }
    Ok(count)
}
// ANCHOR_END: helpers
