//! Measures how long each thread is asleep.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{btf_map, kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

/// Who is asleep, and since when, in nanoseconds.
#[btf_map]
static START: HashMap<u32, u64, 1024> = HashMap::new();

/// A thread, and all the nanoseconds that it has slept.
#[btf_map]
static SLEPT: HashMap<u32, u64, 1024> = HashMap::new();

#[kprobe]
pub fn fall_asleep(_ctx: ProbeContext) -> u32 {
    // SAFETY: the helper only reads the clock.
    let now = unsafe { bpf_ktime_get_ns() };
    let _ = START.insert(sleeper(), now, 0);
    0
}

#[kretprobe]
pub fn wake_up(_ctx: RetProbeContext) -> u32 {
    // SAFETY: the value is read at once, and the helper only reads the clock.
    let (start, now) = unsafe { (START.get(sleeper()).copied(), bpf_ktime_get_ns()) };
    if let Some(start) = start {
        let _ = START.remove(sleeper());
        add(bpf_get_current_pid_tgid() as u32, now - start);
    }
    0
}

/// Under which number a sleep is remembered until it is over.
fn sleeper() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

fn add(thread: u32, time: u64) {
    match SLEPT.get_ptr_mut(thread) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        Some(sum) => unsafe { *sum += time },
        None => {
            let _ = SLEPT.insert(thread, time, 0);
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
