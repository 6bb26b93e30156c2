#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::ProgramArray,
    helpers::generated::bpf_probe_read_user_str,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static NEXT: ProgramArray<1> = ProgramArray::new();

#[inline(never)]
fn go_on(ctx: *mut c_void) -> i32 {
    let ctx = ProbeContext::new(ctx);
    // SAFETY: there is nothing here that a tail call would have to drop.
    unsafe { NEXT.tail_call(&ctx, 0) };
    0
}

#[kprobe(function = "do_nanosleep")]
pub fn tail_call_rules(ctx: ProbeContext) -> u32 {
    let Some(path_at) = ctx.arg::<*const u8>(0) else {
        return 0;
    };
    let mut path = [0u8; 300];
    // SAFETY: the helper writes no more than the array holds.
    let length = unsafe { bpf_probe_read_user_str(path.as_mut_ptr().cast(), 300, path_at.cast()) };
    if length < 0 {
        return 0;
    }
    // The next program gets its own stack, on top of this function's 300 bytes.
    go_on(ctx.as_ptr()) as u32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
