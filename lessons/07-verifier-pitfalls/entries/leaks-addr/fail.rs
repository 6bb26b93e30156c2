#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_OK,
    helpers::generated::bpf_ktime_get_ns,
    macros::{classifier, map},
    maps::PerCpuArray,
    programs::TcContext,
};

struct Last {
    time: u64,
    packet: u64,
}

#[map]
static LAST: PerCpuArray<Last> = PerCpuArray::with_max_entries(1, 0);

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
