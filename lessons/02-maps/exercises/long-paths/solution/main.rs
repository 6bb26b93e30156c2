//! Reports each path that a process opens, however long it is.

#![no_std]
#![no_main]

use core::{mem::offset_of, slice};

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
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

/// Too large for the stack. Each CPU has its own, and runs one program of this kind at a time.
#[btf_map]
static SCRATCH: PerCpuArray<Open, 1> = PerCpuArray::new();

#[kprobe]
pub fn on_open(ctx: ProbeContext) -> u32 {
    let Some(path) = ctx.arg::<*const u8>(1) else {
        return 0;
    };
    let Some(open) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's own value, which nobody else uses while the program runs.
    let open = unsafe { &mut *open };
    open.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
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
    let record = unsafe { slice::from_raw_parts((&raw const *open).cast::<u8>(), size) };
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
