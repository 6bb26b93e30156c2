//! Counts the files that each process opens, with a hook of the Linux security modules.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::PerCpuHashMap,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, lsm},
    programs::LsmContext,
};

/// From a process to a number for each CPU: no two CPUs ever change the same one.
#[btf_map]
static COUNTS: PerCpuHashMap<u32, u64, 256> = PerCpuHashMap::new();

#[lsm(hook = "file_open")]
pub fn count(_ctx: LsmContext) -> i32 {
    // The upper half is what user space calls the process id.
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    match COUNTS.get_ptr_mut(pid) {
        // SAFETY: the number is this CPU's own.
        Some(number) => unsafe { *number += 1 },
        // Fails if the map is full: that process is not counted.
        None => drop(COUNTS.insert(pid, 1, 0)),
    }
    // Go on. A negative number such as -EPERM (-1) would refuse to open the file.
    0
}

/// The kernel gives many helpers only to programs that are compatible with the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
