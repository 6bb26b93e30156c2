//! Counts how often each program is executed, by its name.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::bpf_get_current_comm,
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// The name of a program, and how often it was executed.
#[btf_map]
static COUNTS: HashMap<[u8; 16], u64, 1024> = HashMap::new();

#[tracepoint]
pub fn count_exec(_ctx: TracePointContext) -> u32 {
    let Ok(comm) = bpf_get_current_comm() else {
        return 0;
    };
    // TODO: count this execution in COUNTS, under `comm`. Other CPUs do so, too.
    let _ = comm;
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
