#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static STARTED: HashMap<u64, u64, 1024> = HashMap::new();

#[kprobe(function = "do_nanosleep")]
pub fn helper_arg_type(ctx: ProbeContext) -> u32 {
    // SAFETY: it only reads a clock.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(sleeper) = ctx.arg::<u64>(0) else {
        return 0;
    };
    let _ = STARTED.insert(sleeper, now, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
