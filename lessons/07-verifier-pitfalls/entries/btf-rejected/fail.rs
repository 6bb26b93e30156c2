#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action,
    macros::{map, xdp},
    maps::ProgramArray,
    programs::XdpContext,
};

struct Limits {
    // "Queues" in Korean: Rust accepts such a name, and the kernel's BTF does not.
    대기열: u32,
}

static LIMITS: Limits = Limits { 대기열: 3 };

// In the old form, as aya cannot create a map that has types if the kernel refused them.
#[map]
static NEXT: ProgramArray = ProgramArray::with_max_entries(1, 0);

#[inline(never)]
fn go_on(ctx: *mut c_void) -> i32 {
    let ctx = XdpContext::new(ctx.cast());
    // SAFETY: there is nothing here that a tail call would have to drop.
    unsafe { NEXT.tail_call(&ctx, 0) };
    xdp_action::XDP_PASS as i32
}

#[xdp]
pub fn btf_rejected(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let queue = unsafe { (*ctx.ctx).rx_queue_index };
    // SAFETY: only user space sets it, before it loads the program, and nothing writes to it after
    // that.
    let limits = unsafe { (&raw const LIMITS).read_volatile() };
    if queue < limits.대기열 {
        go_on(ctx.as_ptr()) as u32
    } else {
        xdp_action::XDP_DROP
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
