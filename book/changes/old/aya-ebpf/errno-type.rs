#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::macros::kprobe;
use aya_ebpf::maps::HashMap;
use aya_ebpf::macros::map;
use aya_ebpf::programs::ProbeContext;

#[map(name = "COUNTS")]
static mut COUNTS: HashMap<u32, u64> = HashMap::with_max_entries(64, 0);

#[kprobe]
pub fn count(_ctx: ProbeContext) -> u32 {
    match try_count() {
        Ok(()) => 0,
        Err(code) => code as u32,
    }
}

fn try_count() -> Result<(), i64> {
    bpf_get_current_comm()?;
    unsafe { COUNTS.insert(&1, &1, 0) }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
