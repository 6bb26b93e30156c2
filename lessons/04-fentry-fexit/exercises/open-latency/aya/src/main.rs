//! How long it takes to open a file: a histogram for each result of `do_sys_openat2(dirfd, name,
//! how)`.

#![no_std]
#![no_main]

use aya_ebpf::{
    Global,
    btf_maps::{HashMap, PerCpuHashMap},
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{btf_map, fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

/// The process. It is set before the program is loaded.
#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);

/// When a call began, in nanoseconds.
#[btf_map]
static STARTS: HashMap<u64, u64, 1024> = HashMap::new();

#[repr(C)]
pub struct Row {
    /// 0, or a negative error number.
    result: i32,
    /// Of calls that took from 2^row nanoseconds to less than twice that.
    row: u32,
}

/// How many calls. Each CPU has its own numbers, so two of them never write to the same place.
#[btf_map]
static HISTOGRAM: PerCpuHashMap<Row, u64, 4096> = PerCpuHashMap::new();

fn is_wanted() -> bool {
    (bpf_get_current_pid_tgid() >> 32) as u32 == PID.load()
}

fn now() -> u64 {
    // SAFETY: this helper takes nothing and reads the clock.
    unsafe { bpf_ktime_get_ns() }
}

fn count(row: &Row) {
    match HISTOGRAM.get_ptr_mut(row) {
        // SAFETY: a pointer to this CPU's value of the map, which stays valid while the program
        // runs.
        Some(calls) => unsafe { *calls += 1 },
        None => {
            let _ = HISTOGRAM.insert(row, 1, 0);
        }
    }
}

#[fentry]
pub fn open_enter(_ctx: FEntryContext) -> i32 {
    if !is_wanted() {
        return 0;
    }
    // TODO: note in STARTS when this call began.
    let _ = (now(), &STARTS);
    0
}

#[fexit]
pub fn open_exit(ctx: FExitContext) -> i32 {
    if !is_wanted() {
        return 0;
    }
    // The result comes after the three arguments.
    let result: i32 = ctx.arg(3);
    // TODO: how long did the call take? Put it in the row of its time.
    count(&Row {
        result: result.min(0),
        row: 0,
    });
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
