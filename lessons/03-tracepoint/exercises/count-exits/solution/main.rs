//! Counts the processes that ended, by the name of their program.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::PerCpuHashMap,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// The name of a program, and how many of its processes ended. Each CPU adds to its own value.
#[btf_map]
static EXITS: PerCpuHashMap<[u8; 16], u64, 1024> = PerCpuHashMap::new();

#[tracepoint(category = "sched", name = "sched_process_exit")]
pub fn count_exit(_ctx: TracePointContext) -> u32 {
    // Every thread comes here. The first one of a process has the process's id.
    let id = bpf_get_current_pid_tgid();
    let (process, thread) = ((id >> 32) as u32, id as u32);
    if thread != process {
        return 0;
    }
    let Ok(comm) = bpf_get_current_comm() else {
        return 0;
    };
    match EXITS.get_ptr_mut(comm) {
        // SAFETY: this CPU's own value, which nobody else uses while the program runs.
        Some(count) => unsafe { *count += 1 },
        None => {
            let _ = EXITS.insert(comm, 1, 0);
        }
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
