#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_OK,
    btf_maps::PerCpuArray,
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_map, classifier},
    programs::TcContext,
};

struct Last {
    time: u64,
    packet: u64,
}

#[btf_map]
static LAST: PerCpuArray<Last, 1> = PerCpuArray::new();

#[classifier]
pub fn leaks_addr(ctx: TcContext) -> i32 {
    if let Some(last) = LAST.get_ptr_mut(0) {
        // SAFETY: the pointer is not null, and nobody else uses this CPU's value now.
        let last = unsafe { &mut *last };
        // SAFETY: it only reads a clock.
        last.time = unsafe { bpf_ktime_get_ns() };
        // The address tells packets apart. It also reveals where the kernel's memory is.
        last.packet = ctx.skb.skb as u64;
    }
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
