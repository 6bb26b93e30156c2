//! The chapter's first program, whole: it counts in one map, and reads the map.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::maps::HashMap;
use aya::programs::KProbe;
use common::machine::{self, Need};
use common::{Implementation, record, say};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags};

use crate::workload;

common::include_skeleton!("first");
use skeleton::FirstSkelBuilder;

pub fn run_first(implementation: Implementation) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root, Need::Kprobes])?;
    match implementation {
        Implementation::Aya => run_with_aya(),
        Implementation::Libbpf => run_with_libbpf(),
    }
}

// ANCHOR: aya
fn run_with_aya() -> Result<()> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/maps-first-ebpf"));
    let mut ebpf = Ebpf::load(object)?;
    let program = ebpf.program_mut("count_create");
    let program: &mut KProbe = program.context("cannot find count_create")?.try_into()?;
    program.load()?;
    program.attach("security_inode_create", 0)?;
    create_four_files()?;

    let map = ebpf.map("CREATED").context("cannot find CREATED")?;
    let created: HashMap<_, u32, u64> = HashMap::try_from(map)?;
    for entry in created.iter() {
        let (pid, count) = entry?;
        say(&format!("process {pid} created {count}"))?;
    }
    Ok(())
}
// ANCHOR_END: aya

// ANCHOR: libbpf
fn run_with_libbpf() -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let open = FirstSkelBuilder::default().open(&mut storage)?;
    let skeleton = open.load()?;
    let program = &skeleton.progs.count_create;
    let _link = program.attach_kprobe(false, "security_inode_create")?;
    create_four_files()?;

    let created = &skeleton.maps.created;
    for key in created.keys() {
        let value = created.lookup(&key, MapFlags::ANY)?;
        let pid: u32 = record::from_bytes(&key)?;
        let count: u64 = record::from_bytes(&value.context("cannot find an entry")?)?;
        say(&format!("process {pid} created {count}"))?;
    }
    Ok(())
}
// ANCHOR_END: libbpf

// ANCHOR: create
/// Two by this process, and one by each of two others.
fn create_four_files() -> Result<()> {
    let directory = workload::create_directory()?;
    workload::create_file(&directory.join("first.txt"))?;
    workload::create_file(&directory.join("second.txt"))?;
    workload::start_two_processes(&directory)?;
    Ok(())
}
// ANCHOR_END: create
