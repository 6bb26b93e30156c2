#![no_std]
#![no_main]

use aya_ebpf::macros::{kprobe, map};
use aya_ebpf::maps::Queue;
use aya_ebpf::programs::ProbeContext;

#[map]
static JOBS: Queue<u64> = Queue::with_max_entries(16, 0);

#[kprobe]
pub fn take(_ctx: ProbeContext) -> u32 {
    if let Some(job) = JOBS.pop() {
        return job as u32;
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
