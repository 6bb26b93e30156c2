//! Counts samples, on each CPU.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::PerCpuArray,
    macros::{btf_map, perf_event},
    programs::PerfEventContext,
};

/// One number for each CPU.
#[btf_map]
static SAMPLES: PerCpuArray<u64, 1> = PerCpuArray::new();

#[perf_event]
pub fn on_sample(_ctx: PerfEventContext) -> u32 {
    if let Some(count) = SAMPLES.get_ptr_mut(0) {
        // SAFETY: this CPU's own number, and no sample interrupts another.
        unsafe { *count += 1 };
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
