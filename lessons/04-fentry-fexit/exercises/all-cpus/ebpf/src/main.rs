//! Counts the directories that are made, on each CPU on its own.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::PerCpuArray,
    macros::{btf_map, fentry},
    programs::FEntryContext,
};

/// One number for each CPU. No other CPU writes to it, so no addition is lost.
#[btf_map]
static MADE: PerCpuArray<u64, 1> = PerCpuArray::new();

#[fentry]
pub fn on_mkdir(_ctx: FEntryContext) -> i32 {
    if let Some(count) = MADE.get_ptr_mut(0) {
        // SAFETY: a pointer to this CPU's value of the map, which stays valid while the program
        // runs.
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
