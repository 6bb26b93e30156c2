//! Kernel side: `task->real_parent->tgid`, the parent's process id, with offsets from two sources.
//!
//! clang writes down for each access which field of which struct it means (a relocation), and the
//! loader corrects the program for the running kernel. rustc does not: an offset in Rust is a
//! number, wherever it comes from.

#![no_std]
#![no_main]

#[path = "../../src/offsets/seen.rs"]
mod seen;

use aya_ebpf::{
    Global,
    btf_maps::Array,
    helpers::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_probe_read_kernel},
    macros::{btf_map, fentry},
    programs::FEntryContext,
};
use seen::{BAKED_REAL_PARENT, BAKED_TGID, Seen};

#[btf_map]
static SEEN: Array<Seen, 1> = Array::new();

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
    let Some(seen) = SEEN.get_ptr_mut(0) else {
        return 0;
    };
    if PID.load() == (bpf_get_current_pid_tgid() >> 32) as u32 {
        // SAFETY: the lookup has checked the index; one thread of user space opens one file.
        let seen = unsafe { &mut *seen };
        seen.baked = parent(BAKED_REAL_PARENT, BAKED_TGID);
        seen.found = parent(REAL_PARENT.load(), TGID.load());
        seen.state_found = read::<u32>(task(), STATE.load()).map_or_else(i64::from, i64::from);
    }
    0
}

fn parent(real_parent: u32, tgid: u32) -> i64 {
    let parent = read::<*const u8>(task(), real_parent);
    parent
        .and_then(|parent| read::<u32>(parent, tgid))
        .map_or_else(i64::from, i64::from)
}

/// Nothing here knows what lies at `offset`: with a wrong one it reads garbage, and says nothing.
fn read<T>(base: *const u8, offset: u32) -> Result<T, i32> {
    // SAFETY: the helper fails when the address cannot be read.
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast()) }
}
// ANCHOR_END: ladder

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
