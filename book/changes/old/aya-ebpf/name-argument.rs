#![no_std]
#![no_main]

use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;

#[kprobe(name = "hello")]
pub fn hello(_ctx: ProbeContext) -> u32 {
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
