#![no_std]
#![no_main]

use aya_ebpf::macros::kretprobe;
use aya_ebpf::programs::RetProbeContext;

#[kretprobe]
pub fn returned(ctx: RetProbeContext) -> u32 {
    let result: i64 = ctx.ret().unwrap_or(0);
    (result < 0) as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
