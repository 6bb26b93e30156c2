#![no_std]
#![no_main]

use aya_ebpf::macros::{map, perf_event};
use aya_ebpf::maps::StackTrace;
use aya_ebpf::programs::PerfEventContext;

#[map]
static STACKS: StackTrace = StackTrace::with_max_entries(1024, 0);

#[perf_event]
pub fn sample(ctx: PerfEventContext) -> u32 {
    unsafe { STACKS.get_stackid(&ctx, 0) }.unwrap_or(0) as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
