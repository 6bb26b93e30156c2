#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_printk;
use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;

#[kprobe]
pub fn hello(_ctx: ProbeContext) -> u32 {
    unsafe { bpf_printk!(b"hello %d", 7) };
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
