//! `task->real_parent->tgid`, the parent's process id, with offsets from two sources.
//!
//! clang notes for each access which field of which struct it means (a relocation), and the loader
//! corrects the program for the running kernel. rustc does not: an offset in Rust is a number,
//! wherever it comes from.

#![no_std]
#![no_main]

#[expect(dead_code, reason = "main.rs uses the rest")]
#[path = "../../src/event.rs"]
mod event;

use aya_ebpf::{
    Global,
    btf_maps::Array,
    helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_probe_read_kernel},
    macros::{btf_map, fentry},
    programs::FEntryContext,
};

use event::{BAKED_REAL_PARENT, BAKED_TGID, ParentReadings};

#[btf_map]
static READINGS: Array<ParentReadings, 1> = Array::new();

#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static REAL_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TGID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static STATE: Global<u32> = Global::new(0);

// ANCHOR: ladder
#[fentry]
pub fn read_parent(_: FEntryContext) -> i32 {
    let Some(readings) = READINGS.get_ptr_mut(0) else {
        return 0;
    };
    if PID.load() == (bpf_get_current_pid_tgid() >> 32) as u32 {
        // SAFETY: the lookup has checked the index; one thread of user space opens one file.
        let readings = unsafe { &mut *readings };
        readings.baked = follow(BAKED_REAL_PARENT, BAKED_TGID);
        readings.found = follow(REAL_PARENT.load(), TGID.load());
        readings.state_found = number(read::<u32>(task(), STATE.load()));
    }
    0
}

fn follow(real_parent: u32, tgid: u32) -> i64 {
    match read::<*const u8>(task(), real_parent) {
        Ok(parent) => number(read::<u32>(parent, tgid)),
        Err(error) => error.into(),
    }
}

/// Nothing here knows which field is at `offset`: a wrong offset reads garbage, without an error.
fn read<T>(base: *const u8, offset: u32) -> Result<T, i32> {
    // SAFETY: the helper fails when the address cannot be read.
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast()) }
}
// ANCHOR_END: ladder

fn number(reading: Result<u32, i32>) -> i64 {
    reading.map_or_else(i64::from, i64::from)
}

fn task() -> *const u8 {
    // SAFETY: this helper takes nothing.
    unsafe { bpf_get_current_task() as *const u8 }
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
