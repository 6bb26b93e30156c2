#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::Array,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
struct Directory {
    parent: u32,
    name: u32,
}

#[btf_map]
static DIRECTORIES: Array<Directory, 64> = Array::new();

/// From the root down: parents come first, and how many there are is known only at run time.
fn path_hash(at: u32) -> u32 {
    match DIRECTORIES.get(at) {
        Some(directory) if at != 0 => path_hash(directory.parent)
            .wrapping_mul(31)
            .wrapping_add(directory.name),
        _ => 0,
    }
}

#[kprobe(function = "do_nanosleep")]
pub fn call_depth_recursion(_ctx: ProbeContext) -> u32 {
    path_hash(1)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
