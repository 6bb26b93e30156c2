//! Step 6: tc, the neighbour of XDP, also sees what goes out.

#![no_std]
#![no_main]

mod rules;

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    btf_maps::PerCpuArray,
    macros::{btf_map, classifier},
    programs::TcContext,
};
use xdp_ebpf::address::find_destination;
use xdp_ebpf::ethernet::parse_packet;
use xdp_ebpf::packet::Packet;

use rules::is_blocked;

#[btf_map]
static EGRESS_DROPS: PerCpuArray<u64, 1> = PerCpuArray::new();

// ANCHOR: egress
#[classifier]
pub fn egress(ctx: TcContext) -> i32 {
    let mut packet = Packet::default();
    parse_packet(ctx.data(), ctx.data_end(), &mut packet);
    if !is_blocked(find_destination(&packet)) {
        return TC_ACT_OK;
    }
    if let Some(drops) = EGRESS_DROPS.get_ptr_mut(0) {
        // SAFETY: this counter belongs to this CPU.
        unsafe { *drops += 1 };
    }
    TC_ACT_SHOT
}
// ANCHOR_END: egress

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
