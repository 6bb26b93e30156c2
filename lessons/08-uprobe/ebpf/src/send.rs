//! The parts of an event that all programs send alike.
//!
//! What Rust costs here (`cargo xtask bench 08`): half as many instructions again as the twin in C,
//! because an empty event is filled byte by byte, in a loop (`memset`); clang stores 8 bytes at a
//! time. Next to the way into the program (`--cost`) that is little.

use aya_ebpf::{
    Global,
    btf_maps::{PerCpuArray, RingBuf},
    helpers::{bpf_get_current_pid_tgid, generated},
    macros::btf_map,
};

use bytemuck::Zeroable as _;

use crate::event::{EventCounts, NO_TEXT, ProbeEvent};

#[btf_map]
static EVENTS: RingBuf<(), { 64 * 1024 }> = RingBuf::new();
#[btf_map]
static COUNTS: PerCpuArray<EventCounts, 1> = PerCpuArray::new();

/// Which argument is a string. User space sets it before it loads the programs.
#[unsafe(no_mangle)]
pub static TEXT_ARGUMENT: Global<u32> = Global::new(NO_TEXT);

pub fn start_event(kind: u32, values: [u64; 3]) -> ProbeEvent {
    let mut event = ProbeEvent::zeroed();
    event.kind = kind;
    event.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    event.values = values;
    let room = event.comm.len() as u32;
    // `bpf_get_current_comm` of aya-ebpf returns a copy, which the compiler moves byte by byte.
    // SAFETY: the buffer has that much room.
    unsafe { generated::bpf_get_current_comm(event.comm.as_mut_ptr().cast(), room) };
    event
}

// ANCHOR: text
/// Takes no page fault: what is not in memory at this moment cannot be read.
pub fn read_text(event: &mut ProbeEvent) {
    let Some(&text) = event.values.get(TEXT_ARGUMENT.load() as usize) else {
        return;
    };
    let room = event.text.len() as u32;
    // aya-ebpf 0.2.1 has `bpf_probe_read_user_str_bytes` for this, which turns every error into -1.
    // SAFETY: the helper checks the address, and the buffer has that much room.
    let result = unsafe {
        generated::bpf_probe_read_user_str(event.text.as_mut_ptr().cast(), room, text as *const _)
    };
    event.text_error = result.min(0);
}
// ANCHOR_END: text

pub fn send_event(event: &ProbeEvent) {
    let Some(counts) = COUNTS.get_ptr_mut(0) else {
        return;
    };
    let result = EVENTS.output_untyped::<ProbeEvent>(event, 0);
    // SAFETY: each CPU has its own, and the lookup has checked the index. A kernel that preempts
    // this program for another one may lose a count, which is only shown.
    unsafe {
        match result {
            Ok(()) => (*counts).sent += 1,
            Err(_) => (*counts).lost += 1,
        }
    }
}
