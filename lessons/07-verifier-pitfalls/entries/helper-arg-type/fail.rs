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
    let Some(sleeper) = ctx.arg::<*const u64>(0) else {
        return 0;
    };
    // SAFETY: this is the mistake, and the verifier sees it: this address is the key itself, not
    // the address of a key.
    let key = unsafe { &*sleeper };
    let _ = STARTED.insert(key, now, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
