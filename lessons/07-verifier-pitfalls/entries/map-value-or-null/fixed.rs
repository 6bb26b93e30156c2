#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static COUNTERS: HashMap<u32, u64, 16> = HashMap::new();

#[kprobe(function = "do_nanosleep")]
pub fn map_value_or_null(_ctx: ProbeContext) -> u32 {
    if let Some(counter) = COUNTERS.get_ptr_mut(0u32) {
        // SAFETY: the pointer is not null, and the value lives as long as the map.
        unsafe { *counter += 1 };
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
