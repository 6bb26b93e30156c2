//! How long each thread has slept: all its calls of `do_nanosleep(timer, mode)` together.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{btf_map, fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

/// When the sleep began, in nanoseconds.
#[btf_map]
static STARTS: HashMap<u32, u64, 1024> = HashMap::new();

/// By thread: nanoseconds.
#[btf_map]
static SLEPT: HashMap<u32, u64, 1024> = HashMap::new();

fn now() -> u64 {
    // SAFETY: this helper takes nothing and reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

#[fentry]
pub fn sleep_enter(_ctx: FEntryContext) -> i32 {
    let sleeper = (bpf_get_current_pid_tgid() >> 32) as u32;
    let _ = STARTS.insert(sleeper, now(), 0);
    0
}

#[fexit]
pub fn sleep_exit(_ctx: FExitContext) -> i32 {
    let sleeper = (bpf_get_current_pid_tgid() >> 32) as u32;
    let Some(start) = STARTS.get_ptr(sleeper) else {
        return 0; // it fell asleep before the programs were attached
    };
    // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
    let took = now() - unsafe { *start };
    let _ = STARTS.remove(sleeper);

    let thread = bpf_get_current_pid_tgid() as u32;
    match SLEPT.get_ptr_mut(thread) {
        // SAFETY: as above, and no other thread uses this entry.
        Some(slept) => unsafe { *slept += took },
        None => {
            let _ = SLEPT.insert(thread, took, 0);
        }
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
