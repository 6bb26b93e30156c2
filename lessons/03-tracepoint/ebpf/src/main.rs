//! Reports who executes what. Three programs watch the same event, and send what they see through
//! one ring buffer: `tracepoint.rs`, `raw.rs` and `btf.rs`.

#![no_std]
#![no_main]

mod btf;
#[path = "../../src/event.rs"]
mod event;
mod fields;
mod raw;
mod tracepoint;

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    helpers::bpf_ktime_get_ns,
    macros::btf_map,
};
use event::Event;

#[btf_map]
static EVENTS: RingBuf<(), { 256 * 1024 }> = RingBuf::new();

/// How many events found the ring buffer full, or could not be read: the programs in C send the
/// latter, with zeros in place of what could not be read.
#[btf_map]
static LOST: PerCpuArray<u64, 1> = PerCpuArray::new();

// ANCHOR: send
/// Lets `fill` write an event into the ring buffer, and counts it as lost if that fails.
fn send(way: u32, fill: impl FnOnce(&mut Event) -> Result<(), i32>) {
    let Some(mut entry) = EVENTS.reserve_untyped::<Event>(0) else {
        return count_lost();
    };
    // SAFETY: the memory is reserved for us, and any bytes are an `Event`.
    let event = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: the helper only reads a clock.
    event.time = unsafe { bpf_ktime_get_ns() };
    event.way = way;
    match fill(event) {
        Ok(()) => entry.submit(0),
        Err(_) => {
            entry.discard(0);
            count_lost();
        }
    }
}

// One function that all three programs call, instead of a copy in each.
#[inline(never)]
fn count_lost() {
    if let Some(count) = LOST.get_ptr_mut(0) {
        // SAFETY: each CPU has its own counter, and no program interrupts itself.
        unsafe { *count += 1 };
    }
}
// ANCHOR_END: send

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
