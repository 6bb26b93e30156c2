//! Counts the calls of a function by its argument: a name.

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
    btf_maps::{Array, HashMap},
    helpers::bpf_probe_read_kernel_str_bytes,
    macros::{btf_map, uprobe},
    programs::ProbeContext,
};

/// How often each name was asked for.
#[btf_map]
static NAMES: HashMap<[u8; 32], u64, 1024> = HashMap::new();

/// One number: the calls whose name could not be read.
#[btf_map]
static UNREADABLE: Array<u64, 1> = Array::new();

#[uprobe]
pub fn on_find_user(ctx: ProbeContext) -> u32 {
    let mut name = [0; 32];
    match read_name(&ctx, &mut name) {
        Some(()) => count_name(&name),
        None => count_unreadable(),
    }
    0
}

fn read_name(ctx: &ProbeContext, name: &mut [u8; 32]) -> Option<()> {
    let address: *const u8 = ctx.arg(0)?;
    // SAFETY: the helper checks the address, and fails when it cannot be read.
    unsafe { bpf_probe_read_kernel_str_bytes(address, name) }.ok()?;
    Some(())
}

fn count_name(name: &[u8; 32]) {
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = NAMES.insert(name, 0, BPF_NOEXIST.into());
    if let Some(count) = NAMES.get_ptr_mut(name) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
}

fn count_unreadable() {
    if let Some(count) = UNREADABLE.get_ptr_mut(0) {
        // SAFETY: as above.
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
