//! Kernel side: reports each change of a name below one directory.
//!
//! The hooks are the kernel's security checks: every change of a directory passes one of them,
//! whatever the system call and the file system, and those arguments that we use are the same from
//! Linux 5.10 to 7.3. They come before the change, which can still fail.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

mod dentry;
mod records;

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};
use core::mem::{MaybeUninit, offset_of};
use core::ptr;
use core::sync::atomic::AtomicU64;

use aya_ebpf::{
    Global,
    bindings::BPF_NOEXIST,
    btf_maps::{HashMap, LruHashMap, PerCpuArray, RingBuf},
    helpers::{
        bpf_get_current_pid_tgid, bpf_ktime_get_ns,
        generated::{bpf_get_current_comm, bpf_probe_read_kernel_str, bpf_ringbuf_output},
    },
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

use dentry::Dentry;
use records::{
    Change, Counters, KEY_SIZE, Kind, LEVELS, NAME_SIZE, Process, ProcessName, Recent, Watched,
};

// ANCHOR: globals
/// Read-only here: user space fills it in before the program is loaded.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.watched")]
static WATCHED: Global<Watched> = Global::new(Watched {
    inode: 0,
    device: 0,
});

/// The 16 bytes of a process's name, or zeros for every process. The verifier knows the value.
/// Where it is zero, it removes the comparison: on Linux 6.12, `bpftool prog` then shows fewer
/// instructions.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.process")]
static ONLY_PROCESS: Global<ProcessName> = Global::new([0; 2]);

/// User space writes this one while the program runs. `load` reads it anew each time.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.paused")]
static PAUSED: Global<u64> = Global::new(0);

/// The program writes these, on several CPUs at a time.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.counters")]
static COUNTERS: Counters = Counters {
    changes: AtomicU64::new(0),
    lost: AtomicU64::new(0),
    uncounted: AtomicU64::new(0),
    too_deep: AtomicU64::new(0),
};
// ANCHOR_END: globals

// ANCHOR: maps
#[btf_map(name = "changes")]
static CHANGES: RingBuf<Change, { 256 * 1024 }> = RingBuf::new();

#[btf_map(name = "processes")]
static PROCESSES: HashMap<u32, Process, 1024> = HashMap::new();

#[btf_map(name = "recent")]
static RECENT: LruHashMap<[u8; KEY_SIZE], Recent, 512> = LruHashMap::new();

#[btf_map(name = "scratch")]
static SCRATCH: PerCpuArray<Change, 1> = PerCpuArray::new();
// ANCHOR_END: maps

#[kprobe]
pub fn on_create(ctx: ProbeContext) -> u32 {
    changed(Kind::Create, ctx.arg(1))
}

#[kprobe]
pub fn on_mkdir(ctx: ProbeContext) -> u32 {
    changed(Kind::Mkdir, ctx.arg(1))
}

#[kprobe]
pub fn on_mknod(ctx: ProbeContext) -> u32 {
    changed(Kind::Mknod, ctx.arg(1))
}

#[kprobe]
pub fn on_symlink(ctx: ProbeContext) -> u32 {
    changed(Kind::Symlink, ctx.arg(1))
}

#[kprobe]
pub fn on_link(ctx: ProbeContext) -> u32 {
    changed(Kind::Link, ctx.arg(2))
}

#[kprobe]
pub fn on_unlink(ctx: ProbeContext) -> u32 {
    changed(Kind::Unlink, ctx.arg(1))
}

// ANCHOR: hooks
#[kprobe]
pub fn on_rmdir(ctx: ProbeContext) -> u32 {
    changed(Kind::Rmdir, ctx.arg(1))
}

#[kprobe]
pub fn on_rename(ctx: ProbeContext) -> u32 {
    // Each half is a change of its own: only one of the two may be below the directory.
    changed(Kind::RenameFrom, ctx.arg(1));
    changed(Kind::RenameTo, ctx.arg(3))
}
// ANCHOR_END: hooks

fn changed(kind: Kind, dentry: Option<*const u8>) -> u32 {
    if let Some(dentry) = dentry
        && PAUSED.load() == 0
    {
        // What cannot be read is not below the directory.
        let _ = report(kind, Dentry(dentry));
    }
    0
}

// ANCHOR: scratch
fn report(kind: Kind, dentry: Dentry) -> Option<()> {
    let process = process_name();
    if !is_wanted(process) || u64::from(dentry.device()?) != WATCHED.load().device {
        return None;
    }
    // Of 4 KiB. On the stack, which has 512 bytes, this does not even compile: "Looks like the BPF
    // stack limit is exceeded. Please move large on stack variables into BPF per-cpu array map."
    // Nobody disturbs us in this array: each CPU has its own, and runs one kprobe program at a
    // time, to its end. SAFETY: the pointer leads to one whole `Change`, and this is the only
    // reference to it.
    let change = unsafe { &mut *SCRATCH.get_ptr_mut(0)? };
    let length = collect_names(dentry, &mut change.names)?;
    change.kind = kind as u32;
    change.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    change.process = process;
    send(change, length);
    count_process(change);
    remember_name(change)
}
// ANCHOR_END: scratch

fn process_name() -> ProcessName {
    let mut name = MaybeUninit::<ProcessName>::uninit();
    // SAFETY: the helper fills all of the 16 bytes that it is given.
    unsafe {
        bpf_get_current_comm(name.as_mut_ptr().cast(), size_of::<ProcessName>() as u32);
        name.assume_init()
    }
}

fn is_wanted(process: ProcessName) -> bool {
    let only = ONLY_PROCESS.load();
    only == [0; 2] || only == process
}

// ANCHOR: walk
/// The names on the way up to the watched directory, and how many bytes they take. `None` is
/// elsewhere.
fn collect_names(mut dentry: Dentry, names: &mut [u8]) -> Option<usize> {
    let mut used = 0;
    for _ in 0..LEVELS {
        used += dentry.copy_name(names.get_mut(used..used + NAME_SIZE)?)?;
        let parent = dentry.parent()?;
        if parent == dentry {
            return None;
        }
        if parent.inode()? == WATCHED.load().inode {
            return Some(used);
        }
        dentry = parent;
    }
    add(&COUNTERS.too_deep);
    None
}
// ANCHOR_END: walk

// ANCHOR: send
fn send(change: &Change, length: usize) {
    add(&COUNTERS.changes);
    let size = offset_of!(Change, names) + length;
    // SAFETY: the names are the end of a change, and `length` of them are filled; the verifier
    // checks it.
    let sent = unsafe {
        bpf_ringbuf_output(
            (&raw const CHANGES).cast_mut().cast(),
            ptr::from_ref(change).cast_mut().cast(),
            size as u64,
            0,
        )
    };
    if sent < 0 {
        add(&COUNTERS.lost);
    }
}
// ANCHOR_END: send

// ANCHOR: hash
fn count_process(change: &Change) {
    let new = Process {
        changes: AtomicU64::new(0),
        process: change.process,
    };
    // Fails where the process has an entry, which is right, and where the table is full.
    let _ = PROCESSES.insert(change.pid, &new, BPF_NOEXIST.into());
    match PROCESSES.get_ptr_mut(change.pid) {
        // SAFETY: nobody removes entries.
        Some(process) => add(unsafe { &(*process).changes }),
        None => add(&COUNTERS.uncounted),
    }
}
// ANCHOR_END: hash

// ANCHOR: lru
fn remember_name(change: &Change) -> Option<()> {
    let mut bytes = [0; KEY_SIZE];
    // SAFETY: the helper checks the address, and the verifier the buffer.
    unsafe {
        bpf_probe_read_kernel_str(
            (&raw mut bytes).cast(),
            KEY_SIZE as u32,
            change.names.as_ptr().cast(),
        )
    };
    // By reference: by value, each call would copy the 64 bytes one by one.
    let name = &bytes;
    let new = Recent {
        changes: AtomicU64::new(0),
        last: 0,
    };
    // Never full: names that were not used for long make room.
    let _ = RECENT.insert(name, new, BPF_NOEXIST.into());
    let recent = RECENT.get_ptr_mut(name)?;
    // SAFETY: an entry that is thrown out meanwhile is only used again, never freed; a number may
    // be lost then. Two CPUs may write the time at once, and either is right.
    unsafe {
        add(&(*recent).changes);
        (*recent).last = bpf_ktime_get_ns();
    }
    Some(())
}
// ANCHOR_END: lru

// ANCHOR: add
/// Adds one, while other CPUs may do the same. `AtomicU64` has no `fetch_add` for eBPF, which had
/// no compare-and-swap before Linux 5.12; it had this one atomic instruction, which gives nothing
/// back.
fn add(number: &AtomicU64) {
    // SAFETY: adds to the number and nothing else.
    unsafe { atomic_xadd::<u64, u64, { Relaxed }>(number.as_ptr(), 1) };
}
// ANCHOR_END: add

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
