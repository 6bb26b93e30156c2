#![no_std]
#![no_main]

use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::ProgramArray;
use aya_ebpf::programs::XdpContext;

#[map]
static NEXT: ProgramArray = ProgramArray::with_max_entries(4, 0);

#[xdp]
pub fn first(ctx: XdpContext) -> u32 {
    if unsafe { NEXT.tail_call(&ctx, 1) }.is_err() {
        return 1;
    }
    2
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
