//! Which programs fail to remove files, with which error, and which file was the last?

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
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str_bytes,
    },
    macros::{btf_map, kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

#[repr(C)]
struct Reason {
    program: [u8; 16],
    error: i32,
}

#[repr(C)]
struct Failures {
    count: u64,
    last: [u8; 64],
}

/// Only its first member, which is the first on Linux 5.10 to 7.3: see lesson 01.
#[repr(C)]
struct Filename {
    name: *const u8,
}

#[btf_map]
static FAILURES: HashMap<Reason, Failures, 1024> = HashMap::new();

/// The files that are being removed at this moment, each by the thread that does it.
#[btf_map]
static NAMES: HashMap<u64, [u8; 64], 1024> = HashMap::new();

#[kprobe]
pub fn unlink_enter(ctx: ProbeContext) -> u32 {
    let _ = remember(&ctx);
    0
}

fn remember(ctx: &ProbeContext) -> Option<()> {
    let filename: *const Filename = ctx.arg(1)?;
    let mut name = [0; 64];
    // SAFETY: the helpers check each address, and fail when it cannot be read; the verifier checks
    // the buffer.
    unsafe {
        let from = bpf_probe_read_kernel(&raw const (*filename).name).ok()?;
        bpf_probe_read_kernel_str_bytes(from, &mut name).ok()?;
    }
    NAMES.insert(bpf_get_current_pid_tgid(), name, 0).ok()
}

#[kretprobe]
pub fn unlink_exit(ctx: RetProbeContext) -> u32 {
    let id = bpf_get_current_pid_tgid();
    // SAFETY: only this thread changes its entry.
    if let Some(name) = unsafe { NAMES.get(id) } {
        let ret: i32 = ctx.ret();
        if ret < 0 {
            count(-ret, name);
        }
        let _ = NAMES.remove(id);
    }
    0
}

fn count(error: i32, name: &[u8; 64]) {
    let Ok(program) = bpf_get_current_comm() else {
        return;
    };
    let reason = Reason { program, error };
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = FAILURES.insert(
        &reason,
        Failures {
            count: 0,
            last: *name,
        },
        BPF_NOEXIST.into(),
    );
    if let Some(failures) = FAILURES.get_ptr_mut(&reason) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs. No
        // count is lost; of two names that are written at once, a mix may be left.
        unsafe {
            atomic_xadd::<u64, u64, { Relaxed }>(&raw mut (*failures).count, 1);
            (*failures).last = *name;
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
