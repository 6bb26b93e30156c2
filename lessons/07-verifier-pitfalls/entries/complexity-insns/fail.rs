#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    btf_maps::Array,
    macros::{btf_map, classifier},
    programs::TcContext,
};

const FLOWS: usize = 50_000;
const CLASSES: usize = 8;
const QUOTA: u64 = 1 << 30;

/// Written by user space, from its own statistics.
#[repr(C)]
struct Table {
    bytes: [[u64; CLASSES]; FLOWS],
}

#[btf_map]
static BY_FLOW: Array<Table, 1> = Array::new();

#[classifier]
pub fn complexity_insns(_ctx: TcContext) -> i32 {
    let Some(table) = BY_FLOW.get(0) else {
        return TC_ACT_OK;
    };
    // It ends, but only after 50000 rounds.
    let total: u64 = table
        .bytes
        .iter()
        .map(|classes| classes.iter().sum::<u64>())
        .sum();
    if total > QUOTA {
        TC_ACT_SHOT
    } else {
        TC_ACT_OK
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
