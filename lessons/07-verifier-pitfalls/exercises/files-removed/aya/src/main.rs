//! Counts the files that each thread removes.
// TODO: the verifier rejects this program. It does the right thing; make it load.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::HashMap,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

/// The id of a thread, and how many files it has removed.
#[btf_map]
static REMOVED: HashMap<u32, u64, 1024> = HashMap::new();

#[kprobe]
pub fn count_removals(_ctx: ProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid() as u32;
    // A new thread starts with 0.
    let _ = REMOVED.insert(thread, 0, BPF_NOEXIST.into());
    // SAFETY: by now the entry exists.
    unsafe { *REMOVED.get_ptr_mut(thread).unwrap_unchecked() += 1 };
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
