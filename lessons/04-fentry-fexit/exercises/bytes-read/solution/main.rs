//! How much a process asks `vfs_read(file, buffer, size, position)` for, and how much it gets.

#![no_std]
#![no_main]

use aya_ebpf::{
    Global,
    btf_maps::PerCpuArray,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, fexit},
    programs::FExitContext,
};

/// The process. It is set before the program is loaded.
#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);

const CALLS: u32 = 0;
const ASKED: u32 = 1;
const GOT: u32 = 2;
const FAILED: u32 = 3;

/// Each CPU has its own totals, so two of them never write to the same place.
#[btf_map]
static TOTALS: PerCpuArray<u64, 4> = PerCpuArray::new();

fn add(total: u32, amount: u64) {
    if let Some(sum) = TOTALS.get_ptr_mut(total) {
        // SAFETY: a pointer to this CPU's value of the map, which stays valid while the program
        // runs.
        unsafe { *sum += amount };
    }
}

#[fexit]
pub fn read_exit(ctx: FExitContext) -> i32 {
    if (bpf_get_current_pid_tgid() >> 32) as u32 != PID.load() {
        return 0;
    }
    add(CALLS, 1);
    add(ASKED, ctx.arg(2));
    let result: i64 = ctx.arg(4);
    if result < 0 {
        add(FAILED, 1)
    } else {
        add(GOT, result as u64)
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
