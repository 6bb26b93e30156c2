//! Counts the calls of a function that fail, by argument and error.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::HashMap,
    macros::{btf_map, uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};

#[repr(C)]
struct Failure {
    account: u32,
    error: u32,
}

#[btf_map]
static FAILED: HashMap<Failure, u64, 1024> = HashMap::new();

/// The accounts that are being charged at this moment, each by the thread that does it.
#[btf_map]
static ACCOUNTS: HashMap<u64, u32, 1024> = HashMap::new();

#[uprobe]
pub fn pay_enter(_ctx: ProbeContext) -> u32 {
    // TODO: put the account into ACCOUNTS, for `pay_exit` to find it.
    0
}

#[uretprobe]
pub fn pay_exit(ctx: RetProbeContext) -> u32 {
    // TODO: the function returns 32 bits. And which account was it?
    let result: i64 = ctx.ret();
    if result < 0 {
        count(0, -result as u32);
    }
    0
}

fn count(account: u32, error: u32) {
    let failure = Failure { account, error };
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = FAILED.insert(&failure, 0, BPF_NOEXIST.into());
    if let Some(count) = FAILED.get_ptr_mut(&failure) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
