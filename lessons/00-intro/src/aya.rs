//! Talking to the kernel with aya.

use anyhow::{Context as _, Result};
use aya::EbpfLoader;
use aya::maps::MapType;
use aya::programs::{LsmAttachType, ProgramType, TestRun as _, TestRunOptions, Xdp};
use aya::sys::{BpfHelper, is_helper_supported, is_map_supported, is_program_supported};

use crate::features::{Map, NOISY_HELPERS, Program};
use crate::loaded::{Loaded, PACKET};

pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/intro-ebpf"));

// ANCHOR: load
pub fn load() -> Result<Loaded> {
    // `Ebpf::load` does the same, but aya 0.14 then reads and parses the kernel's BTF twice.
    let mut ebpf = EbpfLoader::new().load(OBJECT).context("open the program")?;
    let program: &mut Xdp = ebpf
        .program_mut("intro")
        .context("find program intro")?
        .try_into()?;
    program.load().context("load the program")?;
    let options = TestRunOptions {
        data_in: Some(&PACKET),
        ..TestRunOptions::new()
    };
    let run = program.test_run(options).context("run the program")?;
    let info = program.info().context("ask about the program")?;
    Ok(Loaded {
        verified_instructions: info.verified_instruction_count(),
        translated_bytes: info
            .size_translated()
            .context("ask for the translated size")? as usize,
        machine_code_bytes: info.size_jitted() as usize,
        returned: run.return_value,
    })
}
// ANCHOR_END: load

pub fn programs() -> Result<Vec<Program>> {
    let tried = [
        ("kprobe", ProgramType::KProbe, true),
        ("tracepoint", ProgramType::TracePoint, true),
        ("raw_tracepoint", ProgramType::RawTracePoint, true),
        ("tracing", ProgramType::Tracing, false),
        ("lsm", ProgramType::Lsm(LsmAttachType::Mac), false),
        ("xdp", ProgramType::Xdp, true),
        ("sched_cls", ProgramType::SchedClassifier, true),
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
    let available = is_program_supported(kind).ok();
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
    for id in (1..BpfHelper::__BPF_FUNC_MAX_ID as u32).filter(|id| !NOISY_HELPERS.contains(id)) {
        // SAFETY: aya's enum has the layout of a u32 and a value for every number below its last.
        let helper = unsafe { std::mem::transmute::<u32, BpfHelper>(id) };
        count += usize::from(
            is_helper_supported(kind, helper).with_context(|| format!("try helper {id}"))?,
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
        ("percpu_array", MapType::PerCpuArray),
        ("lpm_trie", MapType::LpmTrie),
        ("perf_event_array", MapType::PerfEventArray),
        ("ringbuf", MapType::RingBuf),
        ("task_storage", MapType::TaskStorage),
        ("bloom_filter", MapType::BloomFilter),
        ("user_ringbuf", MapType::UserRingBuf),
        ("cgrp_storage", MapType::CgrpStorage),
    ];
    tried
        .map(|(name, kind)| Map {
            name,
            available: is_map_supported(kind).ok(),
        })
        .into()
}
