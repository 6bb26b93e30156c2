//! Which tasks are covered: the children of the policy's process, and all that descend from them.

use aya_ebpf::{
    Global,
    btf_maps::HashMap,
    helpers::{bpf_get_current_pid_tgid, bpf_get_current_task},
    macros::{btf_map, lsm},
    programs::LsmContext,
};

const EAGAIN: i32 = 11;
const CLONE_THREAD: u64 = 0x1_0000;

/// Children of this process are covered.
#[unsafe(no_mangle)]
static POLICY_PID: Global<u32> = Global::new(0);

/// The key is the address of the `task_struct`: unlike a process id, it exists before the process
/// can run. User space sets the size.
#[btf_map]
static COVERED: HashMap<u64, u8, 1> = HashMap::new();

pub fn is_covered() -> bool {
    // SAFETY: the helper takes nothing and always answers.
    let task = unsafe { bpf_get_current_task() };
    COVERED.get_ptr(task).is_some()
}

// ANCHOR: cover
/// The parent makes this call while the child does not run yet. If a child cannot be covered, fork
/// fails.
#[lsm(hook = "task_alloc")]
pub fn cover_child(ctx: LsmContext) -> i32 {
    let (child, flags, previous): (u64, u64, i32) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    if previous != 0 {
        return previous;
    }
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    let is_first = parent == POLICY_PID.load() && flags & CLONE_THREAD == 0;
    if !is_first && !is_covered() {
        // The kernel uses addresses again: nothing of an earlier task may stay.
        let _ = COVERED.remove(child);
        return 0;
    }
    match COVERED.insert(child, 1, 0) {
        Ok(()) => 0,
        Err(_) => -EAGAIN,
    }
}

#[lsm(hook = "task_free")]
pub fn forget(ctx: LsmContext) -> i32 {
    let task: u64 = ctx.arg(0);
    let _ = COVERED.remove(task);
    0
}
// ANCHOR_END: cover
