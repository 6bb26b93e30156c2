//! Reports what is written to files: how much, and how it starts.
// TODO: the verifier rejects this program. It does the right thing; make it load.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_user},
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
struct Written {
    thread: u32,
    /// Length of everything that is written.
    length: u32,
    /// Its first bytes, then zeros.
    start: [u8; 64],
}

#[btf_map]
static WRITTEN: RingBuf<(), { 256 * 1024 }> = RingBuf::new();

/// Watches `vfs_write(file, from, count, position)`.
#[kprobe]
pub fn watch_writes(ctx: ProbeContext) -> u32 {
    let (Some(from), Some(count)) = (ctx.arg::<*const u8>(1), ctx.arg::<usize>(2)) else {
        return 0;
    };
    let mut written = Written {
        thread: bpf_get_current_pid_tgid() as u32,
        length: count as u32,
        start: [0; 64],
    };
    // SAFETY: the helper writes `count` bytes to `start`.
    if unsafe { bpf_probe_read_user(written.start.as_mut_ptr().cast(), count as u32, from.cast()) }
        != 0
    {
        return 0;
    }
    let _ = WRITTEN.output_untyped::<Written>(&written, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
