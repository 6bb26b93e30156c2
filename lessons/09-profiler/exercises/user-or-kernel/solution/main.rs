//! Counts the samples of each program: those in its own code, and those in the kernel.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::HashMap,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::{btf_map, perf_event},
    programs::PerfEventContext,
};

/// Samples in user space, and in the kernel.
#[repr(C)]
struct Time {
    user: u64,
    kernel: u64,
}

/// By the name of a program.
#[btf_map]
static TIME: HashMap<[u8; 16], Time, 1024> = HashMap::new();

#[perf_event]
pub fn on_sample(ctx: PerfEventContext) -> u32 {
    // The idle task: a CPU that has nothing to do.
    if bpf_get_current_pid_tgid() == 0 {
        return 0;
    }
    // SAFETY: the verifier checks each access to the context.
    #[cfg(not(bpf_target_arch = "aarch64"))]
    let address = unsafe { (*ctx.ctx).regs.rip };
    // SAFETY: the same. For `check --arch arm64`: each architecture has its own registers.
    #[cfg(bpf_target_arch = "aarch64")]
    let address = unsafe { (*ctx.ctx).regs.pc };
    // The kernel is in the upper half of all addresses.
    count((address as i64) < 0);
    0
}

fn count(is_kernel: bool) {
    let Ok(program) = bpf_get_current_comm() else {
        return;
    };
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = TIME.insert(program, Time { user: 0, kernel: 0 }, BPF_NOEXIST.into());
    if let Some(time) = TIME.get_ptr_mut(program) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe {
            if is_kernel {
                atomic_xadd::<u64, u64, { Relaxed }>(&raw mut (*time).kernel, 1);
            } else {
                atomic_xadd::<u64, u64, { Relaxed }>(&raw mut (*time).user, 1);
            }
        }
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
