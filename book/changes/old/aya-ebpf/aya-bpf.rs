#![no_std]
#![no_main]

use aya_bpf::macros::kprobe;
use aya_bpf::programs::ProbeContext;

#[kprobe]
pub fn hello(_ctx: ProbeContext) -> u32 {
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
