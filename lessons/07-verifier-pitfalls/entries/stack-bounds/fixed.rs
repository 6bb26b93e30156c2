#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::generated::bpf_get_current_comm,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

const TASK_COMM_LEN: usize = 16;

#[btf_map]
static NAMES: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn stack_bounds(_ctx: ProbeContext) -> u32 {
    let mut name = [0u8; TASK_COMM_LEN];
    // SAFETY: the helper writes no more than the array holds.
    unsafe { bpf_get_current_comm(name.as_mut_ptr().cast(), name.len() as u32) };
    let _ = NAMES.output_untyped::<[u8; TASK_COMM_LEN]>(&name, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
