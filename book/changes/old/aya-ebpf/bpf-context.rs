#![no_std]
#![no_main]

use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use aya_ebpf::BpfContext;

#[kprobe]
pub fn hello(ctx: ProbeContext) -> u32 {
    ctx.pid()
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
