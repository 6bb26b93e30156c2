//! Reads a field of a struct of the kernel, whose layout differs from kernel to kernel.

use aya_ebpf::{
    Global,
    helpers::{bpf_get_current_task, bpf_probe_read_kernel},
};

// ANCHOR: offsets
/// Where this kernel has these fields of `struct task_struct`. User space looks them up in the
/// kernel's BTF.
#[unsafe(no_mangle)]
static REAL_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TGID: Global<u32> = Global::new(0);

/// `task->real_parent->tgid`: who started the process.
pub fn read_parent() -> Option<u32> {
    // SAFETY: these helpers fail when an address cannot be read.
    unsafe {
        let task = bpf_get_current_task() as *const u8;
        let real_parent = task.add(REAL_PARENT.load() as usize);
        let parent: *const u8 = bpf_probe_read_kernel(real_parent.cast()).ok()?;
        bpf_probe_read_kernel(parent.add(TGID.load() as usize).cast()).ok()
    }
}
// ANCHOR_END: offsets
