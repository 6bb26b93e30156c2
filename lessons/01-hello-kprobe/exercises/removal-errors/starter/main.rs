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
    helpers::bpf_get_current_comm,
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

#[btf_map]
static FAILURES: HashMap<Reason, Failures, 1024> = HashMap::new();

/// The files that are being removed at this moment, each by the thread that does it.
#[btf_map]
static NAMES: HashMap<u64, [u8; 64], 1024> = HashMap::new();

#[kprobe]
pub fn unlink_enter(_ctx: ProbeContext) -> u32 {
    // TODO: put the name of the file into NAMES, for `unlink_exit` to find it.
    0
}

#[kretprobe]
pub fn unlink_exit(ctx: RetProbeContext) -> u32 {
    let ret: i32 = ctx.ret();
    if ret < 0 {
        // TODO: which error, and which file? Take the name out of NAMES, also where the removal
        // worked.
        count(0, &[0; 64]);
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
