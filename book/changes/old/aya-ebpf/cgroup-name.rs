#![no_std]
#![no_main]

use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;

#[cgroup_skb(name = "count", attach = "ingress")]
pub fn count(_ctx: SkBuffContext) -> i32 {
    1
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
