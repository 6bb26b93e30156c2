//! Kernel side: a policy. Processes that descend from the policy's command may not open what lies
//! under one directory, and may not carry it out of there.
//!
//! What Rust costs here (`cargo xtask bench 05`): twice the instructions of the twin in C. The
//! offsets are loaded from global variables, which takes two instructions each, where CO-RE writes
//! a constant; and an array of bytes, as `comm` is, is copied byte by byte. In a run, the walk up
//! the directories outweighs both: 1.0 to 1.2 times what C executes.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

mod event;

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, HashMap, RingBuf};
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_ktime_get_ns,
    bpf_probe_read_kernel_str_bytes,
};
use aya_ebpf::macros::{btf_map, lsm};
use aya_ebpf::programs::LsmContext;

use event::{
    ASKED_WITH_VERDICT, ASKED_WITH_ZERO, COUNTS, EXEC, Event, LINK, LOST, OPEN, RENAME, SENT,
};

const EPERM: i32 = 1;
const EAGAIN: i32 = 11;
/// In `f_flags`: the file is opened to be executed.
const FMODE_EXEC: u32 = 0x20;
const CLONE_THREAD: u64 = 0x1_0000;

const OUTSIDE: u32 = u32::MAX;
/// The verifier walks every step of a loop, and wants to see its end. What lies deeper is denied
/// unseen.
const MAX_STEPS: u32 = 64;

// User space sets these before it loads; after that they are constants.
/// Children of this process are covered.
#[unsafe(no_mangle)]
static POLICY_PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static AUDIT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DIR_DEVICE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DIR_INODE: Global<u64> = Global::new(0);

// ANCHOR: offsets
// Where fields of the kernel's structs lie, on the kernel that runs.
#[unsafe(no_mangle)]
static FILE_DENTRY: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static FILE_FLAGS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_INODE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_SUPER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static DENTRY_NAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static INODE_NUMBER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SUPER_DEVICE: Global<u32> = Global::new(0);

/// A field of one of the kernel's structs. The verifier knows the type behind `address`, and the
/// constant in `offset`: it checks this access like one in C, and refuses most wrong offsets, where
/// `bpf_probe_read_kernel` reads garbage.
fn field<T: Copy>(address: u64, offset: &Global<u32>) -> T {
    // SAFETY: the verifier has checked the access; should the page be missing, the kernel reads
    // zeros.
    unsafe { *((address + u64::from(offset.load())) as *const T) }
}
// ANCHOR_END: offsets

/// The key is the address of the `task_struct`: unlike a process id, it is there before the process
/// can run.
#[btf_map]
static COVERED: HashMap<u64, u8, 16384> = HashMap::new();

#[btf_map]
static EVENTS: RingBuf<Event, { 256 * 1024 }> = RingBuf::new();

#[btf_map(name = "COUNTS")]
static NUMBERS: Array<u64, COUNTS> = Array::new();

fn is_covered() -> bool {
    // SAFETY: the helper takes nothing and always answers.
    let task = unsafe { bpf_get_current_task() };
    COVERED.get_ptr(task).is_some()
}

fn count(what: usize) {
    if let Some(number) = NUMBERS.get_ptr_mut(what as u32) {
        // SAFETY: the pointer is into the map; other CPUs add to it at the same time, and none
        // reads it here.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(number, 1) };
    }
}

// ANCHOR: walk
/// How many steps lead from the file up to the directory.
fn steps_to_dir(mut dentry: u64) -> u32 {
    let device: u32 = field(field(dentry, &DENTRY_SUPER), &SUPER_DEVICE);
    if device != DIR_DEVICE.load() {
        return OUTSIDE;
    }
    for steps in 0..MAX_STEPS {
        let inode: u64 = field(dentry, &DENTRY_INODE);
        let parent: u64 = field(dentry, &DENTRY_PARENT);
        if inode != 0 && field::<u64>(inode, &INODE_NUMBER) == DIR_INODE.load() {
            return steps;
        }
        if parent == dentry {
            return OUTSIDE; // the root of the file system
        }
        dentry = parent;
    }
    MAX_STEPS
}
// ANCHOR_END: walk

fn report(action: u32, dentry: u64, steps: u32) {
    count(SENT);
    let Some(mut entry) = EVENTS.reserve(0) else {
        return count(LOST);
    };
    let event = entry.as_mut_ptr();
    // SAFETY: the entry is ours until it is submitted, and every field is written before that.
    unsafe {
        (*event).time = bpf_ktime_get_ns();
        (*event).pid = (bpf_get_current_pid_tgid() >> 32) as u32;
        (*event).action = action;
        (*event).steps = steps;
        (*event).denied = 1 - AUDIT.load();
        (*event).comm = bpf_get_current_comm().unwrap_or_default();
        (*event).name[0] = 0;
        let _ = bpf_probe_read_kernel_str_bytes(field(dentry, &DENTRY_NAME), &mut (*event).name);
    }
    entry.submit(0);
}

// ANCHOR: verdict
fn verdict(action: u32, dentry: u64) -> i32 {
    if !is_covered() {
        return 0;
    }
    let steps = steps_to_dir(dentry);
    if steps == OUTSIDE {
        return 0;
    }
    report(action, dentry, steps);
    // The verifier knows AUDIT, and so what is returned: a denial is a number from -4095 to -1.
    if AUDIT.load() != 0 { 0 } else { -EPERM }
}
// ANCHOR_END: verdict

// ANCHOR: open
/// An execution opens its file too, before the hook bprm_check_security: what is denied here never
/// gets there.
#[lsm(hook = "file_open")]
pub fn guard_open(ctx: LsmContext) -> i32 {
    let (file, previous): (u64, i32) = (ctx.arg(0), ctx.arg(1));
    if previous != 0 {
        return previous;
    }
    let flags: u32 = field(file, &FILE_FLAGS);
    let action = if flags & FMODE_EXEC != 0 { EXEC } else { OPEN };
    verdict(action, field(file, &FILE_DENTRY))
}
// ANCHOR_END: open

// ANCHOR: carry
// Without these two a covered process could give the file a place outside, and open it there.
#[lsm(hook = "inode_rename")]
pub fn guard_rename(ctx: LsmContext) -> i32 {
    let (dentry, previous): (u64, i32) = (ctx.arg(1), ctx.arg(4));
    if previous != 0 {
        previous
    } else {
        verdict(RENAME, dentry)
    }
}

#[lsm(hook = "inode_link")]
pub fn guard_link(ctx: LsmContext) -> i32 {
    let (dentry, previous): (u64, i32) = (ctx.arg(0), ctx.arg(3));
    if previous != 0 {
        previous
    } else {
        verdict(LINK, dentry)
    }
}
// ANCHOR_END: carry

// ANCHOR: witness
/// The last argument is the verdict of the programs before this one. A program must not take it
/// back.
#[lsm(hook = "file_open")]
pub fn witness_open(ctx: LsmContext) -> i32 {
    let (file, previous): (u64, i32) = (ctx.arg(0), ctx.arg(1));
    if is_covered() && steps_to_dir(field(file, &FILE_DENTRY)) != OUTSIDE {
        count(if previous != 0 {
            ASKED_WITH_VERDICT
        } else {
            ASKED_WITH_ZERO
        });
    }
    previous
}
// ANCHOR_END: witness

// ANCHOR: cover
/// The parent makes this call when the child does not run yet. A child that cannot be covered is
/// not born.
#[lsm(hook = "task_alloc")]
pub fn cover_child(ctx: LsmContext) -> i32 {
    let (child, flags, previous): (u64, u64, i32) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    if previous != 0 {
        return previous;
    }
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    let first = parent == POLICY_PID.load() && flags & CLONE_THREAD == 0;
    if !first && !is_covered() {
        // Addresses are used again: nothing of an earlier task may stay.
        let _ = COVERED.remove(child);
        return 0;
    }
    if COVERED.insert(child, 1, 0).is_err() {
        -EAGAIN
    } else {
        0
    }
}

#[lsm(hook = "task_free")]
pub fn forget(ctx: LsmContext) -> i32 {
    let task: u64 = ctx.arg(0);
    let _ = COVERED.remove(task);
    0
}
// ANCHOR_END: cover

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
