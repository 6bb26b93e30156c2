#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// The length of a name in one byte, the name, padding, and the action at a multiple of 4
/// bytes.
type Rule = [u8; 512];

#[btf_map]
static RULES: Array<Rule, 1> = Array::new();

#[xdp]
pub fn ptr_bitwise_op(_ctx: XdpContext) -> u32 {
    let Some(rule) = RULES.get_ptr(0) else {
        return xdp_action::XDP_PASS;
    };
    let rule = rule.cast::<u8>();
    // SAFETY: the value is 512 bytes long.
    let length = usize::from(unsafe { *rule });
    // This rounds up the address, not the offset.
    let action = rule.map_addr(|address| (address + 1 + length + 3) & !3);
    // SAFETY: at most 259 bytes after the start.
    u32::from(unsafe { *action })
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
