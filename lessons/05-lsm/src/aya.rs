//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::maps::Array;
use aya::programs::Lsm;
use aya::{Btf, Ebpf, EbpfLoader};
use common::btf::Kernel;
use common::ring_buffer::AyaRingBuffer;

use crate::event::COUNT_SLOTS;
use crate::policy::Policy;

// ANCHOR: programs
/// The programs and their hooks, in the order of attaching. On one hook the kernel asks the program
/// first that was attached last (measured on Linux 5.10 to 7.3), so the witness comes after the
/// guard.
const PROGRAMS: [(&str, &str); 6] = [
    ("witness_open", "file_open"),
    ("guard_open", "file_open"),
    ("guard_rename", "inode_rename"),
    ("guard_link", "inode_link"),
    ("forget", "task_free"),
    ("cover_child", "task_alloc"),
];
// ANCHOR_END: programs

// ANCHOR: load
pub fn load(policy: &Policy) -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lsm-ebpf"));
    let audit = u32::from(policy.audit);
    let offsets = find_offsets()?;
    let mut loader = EbpfLoader::new();
    loader
        .override_global("POLICY_PID", &policy.pid, true)
        .override_global("AUDIT", &audit, true)
        .override_global("DIR_DEVICE", &policy.device, true)
        .override_global("DIR_INODE", &policy.inode, true)
        .map_max_entries("COVERED", policy.max_tasks);
    // rustc writes no relocations: the offsets on this kernel are passed as globals too.
    for (global, offset) in &offsets {
        loader.override_global(global, offset, true);
    }
    let mut ebpf = loader.load(object).context("cannot load the programs")?;
    let btf = Btf::from_sys_fs().context("cannot read the kernel's BTF")?;
    for (name, hook) in PROGRAMS {
        let program = find_program(&mut ebpf, name)?;
        let loaded = program.load(hook, &btf);
        loaded.with_context(|| format!("cannot load {name}"))?;
    }
    Ok(ebpf)
}

/// The offset of each field that the programs read, and the name of its global.
fn find_offsets() -> Result<Vec<(&'static str, u32)>> {
    let kernel = Kernel::open()?;
    Ok(vec![
        ("FILE_DENTRY", kernel.offset("file", "f_path.dentry")?),
        ("FILE_FLAGS", kernel.offset("file", "f_flags")?),
        ("DENTRY_PARENT", kernel.offset("dentry", "d_parent")?),
        ("DENTRY_INODE", kernel.offset("dentry", "d_inode")?),
        ("DENTRY_SUPER", kernel.offset("dentry", "d_sb")?),
        ("DENTRY_NAME", kernel.offset("dentry", "d_name.name")?),
        ("INODE_NUMBER", kernel.offset("inode", "i_ino")?),
        ("SUPER_DEVICE", kernel.offset("super_block", "s_dev")?),
    ])
}
// ANCHOR_END: load

// ANCHOR: attach
/// The links stay in `ebpf`: dropping it detaches all programs.
pub fn attach(ebpf: &mut Ebpf) -> Result<()> {
    for (name, hook) in PROGRAMS {
        let attached = find_program(ebpf, name)?.attach();
        attached.with_context(|| format!("cannot attach {name} to {hook}"))?;
    }
    Ok(())
}
// ANCHOR_END: attach

pub fn read_events(ebpf: &mut Ebpf) -> Result<AyaRingBuffer> {
    AyaRingBuffer::open(ebpf, "EVENTS")
}

pub fn read_counts(ebpf: &Ebpf) -> Result<[u64; COUNT_SLOTS]> {
    let map = ebpf.map("COUNTS").context("cannot find the map COUNTS")?;
    let map: Array<_, u64> = map.try_into()?;
    let mut counts = [0; COUNT_SLOTS];
    for (slot, count) in (0u32..).zip(&mut counts) {
        *count = map.get(&slot, 0).context("cannot read the map COUNTS")?;
    }
    Ok(counts)
}

fn find_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Lsm> {
    let program = ebpf.program_mut(name);
    let program = program.with_context(|| format!("cannot find {name}"))?;
    Ok(program.try_into()?)
}
