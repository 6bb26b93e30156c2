//! Loads, runs and asks about the program with libbpf-rs, and asks what the kernel offers.

use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use libbpf_rs::libbpf_sys::__BPF_FUNC_MAX_ID;
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapType, OpenObject, Program, ProgramInput, ProgramType};

use crate::features::{MapSupport, NOISY_HELPERS, ProgramSupport, try_program_types};
use crate::loaded_program::LoadedProgram;

common::include_skeleton!("intro");
use skeleton::{IntroSkel, IntroSkelBuilder};

pub const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/intro.bpf.o"));

const MAP_TYPES: [(&str, MapType); 11] = [
    ("hash", MapType::Hash),
    ("array", MapType::Array),
    ("lru_hash", MapType::LruHash),
    ("percpu_array", MapType::PercpuArray),
    ("lpm_trie", MapType::LpmTrie),
    ("perf_event_array", MapType::PerfEventArray),
    ("ringbuf", MapType::RingBuf),
    ("task_storage", MapType::TaskStorage),
    ("bloom_filter", MapType::BloomFilter),
    ("user_ringbuf", MapType::UserRingBuf),
    ("cgrp_storage", MapType::CGrpStorage),
];

const PROGRAM_TYPES: [(&str, ProgramType); 10] = [
    ("kprobe", ProgramType::Kprobe),
    ("tracepoint", ProgramType::Tracepoint),
    ("raw_tracepoint", ProgramType::RawTracepoint),
    ("tracing", ProgramType::Tracing),
    ("lsm", ProgramType::Lsm),
    ("xdp", ProgramType::Xdp),
    ("sched_cls", ProgramType::SchedCls),
    ("struct_ops", ProgramType::StructOps),
    ("syscall", ProgramType::Syscall),
    ("netfilter", ProgramType::Netfilter),
];

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load(storage: &mut MaybeUninit<OpenObject>) -> Result<IntroSkel<'_>> {
    let open = IntroSkelBuilder::default()
        .open(storage)
        .context("cannot open the program")?;
    open.load().context("cannot load intro")
}

pub fn run_once(skeleton: &IntroSkel<'_>, packet: &[u8]) -> Result<u32> {
    let input = ProgramInput {
        data_in: Some(packet),
        ..ProgramInput::default()
    };
    let run = skeleton.progs.intro.test_run(input);
    Ok(run.context("cannot run intro")?.return_value)
}

pub fn read_info(skeleton: &IntroSkel<'_>) -> Result<LoadedProgram> {
    let id =
        Program::id_from_fd(skeleton.progs.intro.as_fd()).context("cannot read the id of intro")?;
    let options = ProgInfoQueryOptions::default()
        .include_xlated_prog_insns(true)
        .include_jited_prog_insns(true);
    let info = ProgInfoIter::with_query_opts(options)
        .find(|info| info.id == id)
        .context("cannot read what the kernel says about intro")?;
    Ok(LoadedProgram {
        verified_insns: (info.verified_insns > 0).then_some(info.verified_insns),
        xlated_prog_len: info.xlated_prog_insns.len(),
        jited_prog_len: info.jited_prog_insns.len(),
    })
}
// ANCHOR_END: load

pub fn try_maps() -> Vec<MapSupport> {
    let tried = MAP_TYPES.map(|(name, kind)| MapSupport {
        name,
        available: kind.is_supported().ok(),
    });
    tried.into()
}

pub fn try_programs() -> Result<Vec<ProgramSupport>> {
    let is_supported = |kind: ProgramType| kind.is_supported().ok();
    try_program_types(&PROGRAM_TYPES, is_supported, count_helpers)
}

// ANCHOR: helpers
fn count_helpers(kind: ProgramType) -> Result<usize> {
    let mut count = 0;
    for id in 1..__BPF_FUNC_MAX_ID {
        if NOISY_HELPERS.contains(&id) {
            continue;
        }
        let supported = kind.is_helper_supported(id);
        if supported.with_context(|| format!("cannot try helper {id}"))? {
            count += 1;
        }
    }
    Ok(count)
}
// ANCHOR_END: helpers
