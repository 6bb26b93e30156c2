#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_probe_read_user_str;
use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;

#[kprobe]
pub fn name(ctx: ProbeContext) -> u32 {
    let mut buffer = [0u8; 64];
    let Some(path) = ctx.arg::<*const u8>(1) else { return 0 };
    unsafe { bpf_probe_read_user_str(path, &mut buffer).unwrap_or(0) as u32 }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
