//! Talking to the kernel with libbpf-rs.

use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use libbpf_rs::libbpf_sys::__BPF_FUNC_MAX_ID;
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapType, Program as Loadable, ProgramInput, ProgramType};

use crate::features::{Map, NOISY_HELPERS, Program};
use crate::loaded::{Loaded, PACKET};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "libbpf-cargo writes this file"
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/intro.skel.rs"));
}

pub const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/intro.bpf.o"));

// ANCHOR: load
pub fn load() -> Result<Loaded> {
    let mut storage = MaybeUninit::uninit();
    let open = skeleton::IntroSkelBuilder::default()
        .open(&mut storage)
        .context("open the program")?;
    let skeleton = open.load().context("load the program")?;
    let input = ProgramInput {
        data_in: Some(&PACKET),
        ..ProgramInput::default()
    };
    let run = skeleton
        .progs
        .intro
        .test_run(input)
        .context("run the program")?;
    let id = Loadable::id_from_fd(skeleton.progs.intro.as_fd())
        .context("ask for the program's number")?;
    let options = ProgInfoQueryOptions::default()
        .include_xlated_prog_insns(true)
        .include_jited_prog_insns(true);
    let info = ProgInfoIter::with_query_opts(options)
        .find(|info| info.id == id)
        .with_context(|| format!("ask about program {id}"))?;
    Ok(Loaded {
        verified_instructions: (info.verified_insns > 0).then_some(info.verified_insns),
        translated_bytes: info.xlated_prog_insns.len(),
        machine_code_bytes: info.jited_prog_insns.len(),
        returned: run.return_value,
    })
}
// ANCHOR_END: load

pub fn programs() -> Result<Vec<Program>> {
    let tried = [
        ("kprobe", ProgramType::Kprobe, true),
        ("tracepoint", ProgramType::Tracepoint, true),
        ("raw_tracepoint", ProgramType::RawTracepoint, true),
        ("tracing", ProgramType::Tracing, false),
        ("lsm", ProgramType::Lsm, false),
        ("xdp", ProgramType::Xdp, true),
        ("sched_cls", ProgramType::SchedCls, true),
        ("struct_ops", ProgramType::StructOps, false),
        ("syscall", ProgramType::Syscall, false),
        ("netfilter", ProgramType::Netfilter, false),
    ];
    tried
        .into_iter()
        .map(|(name, kind, countable)| program(name, kind, countable))
        .collect()
}

fn program(name: &'static str, kind: ProgramType, countable: bool) -> Result<Program> {
    let available = kind.is_supported().ok();
    let helpers = if available == Some(true) && countable {
        Some(helpers(kind)?)
    } else {
        None
    };
    Ok(Program {
        name,
        available,
        helpers,
    })
}

// ANCHOR: helpers
fn helpers(kind: ProgramType) -> Result<usize> {
    let mut count = 0;
    for id in (1..__BPF_FUNC_MAX_ID).filter(|id| !NOISY_HELPERS.contains(id)) {
        count += usize::from(
            kind.is_helper_supported(id)
                .with_context(|| format!("try helper {id}"))?,
        );
    }
    Ok(count)
}
// ANCHOR_END: helpers

pub fn maps() -> Vec<Map> {
    let tried = [
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
    tried
        .map(|(name, kind)| Map {
            name,
            available: kind.is_supported().ok(),
        })
        .into()
}
