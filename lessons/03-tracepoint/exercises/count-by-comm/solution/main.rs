//! Counts how often each program is executed, by its name.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::bpf_get_current_comm,
    macros::{map, tracepoint},
    maps::HashMap,
    programs::TracePointContext,
};

/// The name of a program, and how often it was executed.
#[map]
static COUNTS: HashMap<[u8; 16], u64> = HashMap::with_max_entries(1024, 0);

#[tracepoint]
pub fn count_exec(_ctx: TracePointContext) -> u32 {
    let Ok(comm) = bpf_get_current_comm() else { return 0 };
    match COUNTS.get_ptr_mut(comm) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        Some(count) => unsafe { *count += 1 },
        None => {
            let _ = COUNTS.insert(comm, 1, 0);
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
