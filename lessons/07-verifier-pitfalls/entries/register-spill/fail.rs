#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::LruHashMap,
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_map, fentry},
    programs::FEntryContext,
};

#[btf_map]
static STARTED: LruHashMap<u32, u64, 1024> = LruHashMap::new();

#[fentry(function = "tcp_connect")]
pub fn register_spill(ctx: FEntryContext) -> i32 {
    let sk: *const c_void = ctx.arg(0);
    // This keeps half of the address.
    // SAFETY: it only reads a clock.
    let _ = STARTED.insert(sk as u32, unsafe { bpf_ktime_get_ns() }, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
