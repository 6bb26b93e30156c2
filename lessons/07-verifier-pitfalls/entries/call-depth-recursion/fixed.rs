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

/// From the leaf up, with a loop that ends.
fn path_hash(mut at: u32) -> u32 {
    let (mut hash, mut power) = (0u32, 1u32);
    for _ in 0..16 {
        let Some(directory) = DIRECTORIES.get(at) else {
            break;
        };
        if at == 0 {
            break;
        }
        hash = hash.wrapping_add(directory.name.wrapping_mul(power));
        power = power.wrapping_mul(31);
        at = directory.parent;
    }
    hash
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
