//! Counts the removals of files that fail, for each process.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{kretprobe, map},
    maps::HashMap,
    programs::RetProbeContext,
};

/// A process, and how many of its removals failed.
#[map]
static FAILED: HashMap<u32, u64> = HashMap::with_max_entries(1024, 0);

#[kretprobe]
pub fn removed(ctx: RetProbeContext) -> u32 {
    let ret: i32 = ctx.ret();
    if ret < 0 {
        count((bpf_get_current_pid_tgid() >> 32) as u32);
    }
    0
}

fn count(pid: u32) {
    match FAILED.get_ptr_mut(pid) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        Some(count) => unsafe { *count += 1 },
        None => {
            let _ = FAILED.insert(pid, 1, 0);
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
