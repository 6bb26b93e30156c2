//! Counts the calls of openat(2) by the name of the thread that calls.

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
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// Filled up with zeros.
type Name = [u8; 16];

#[repr(C)]
pub struct Counts {
    succeeded: u64,
    failed: u64,
}

/// Where the result is in the record of the tracepoint.
const RESULT: usize = 16;

/// Stands for every name.
const EVERYBODY: Name = [0; 16];

#[btf_map]
static COUNTS: HashMap<Name, Counts, 10240> = HashMap::new();

/// The names that count. Only the keys matter.
#[btf_map]
static WANTED: HashMap<Name, u8, 8> = HashMap::new();

/// The tool's own process.
#[btf_map]
static OWN: Array<u32, 1> = Array::new();

#[tracepoint(category = "syscalls", name = "sys_exit_openat")]
pub fn openat_ends(ctx: TracePointContext) -> u32 {
    let _ = count(&ctx);
    0
}

fn count(ctx: &TracePointContext) -> Option<()> {
    let name = bpf_get_current_comm().ok()?;
    if is_own() || !is_wanted(&name) {
        return None;
    }
    // SAFETY: a number, and any bytes are one.
    let result: i64 = unsafe { ctx.read_at(RESULT) }.ok()?;
    let counts = find_counts(&name)?;
    // SAFETY: a value of the map, which stays valid while the program runs.
    unsafe {
        let number = if result < 0 {
            &raw mut (*counts).failed
        } else {
            &raw mut (*counts).succeeded
        };
        atomic_xadd::<u64, u64, { Relaxed }>(number, 1);
    }
    Some(())
}

fn is_own() -> bool {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    OWN.get(0).is_some_and(|own| *own == process)
}

/// In this order: `only` adds the name before it removes the entry that stands for everybody.
fn is_wanted(name: &Name) -> bool {
    WANTED.get_ptr(EVERYBODY).is_some() || WANTED.get_ptr(name).is_some()
}

fn find_counts(name: &Name) -> Option<*mut Counts> {
    if let Some(counts) = COUNTS.get_ptr_mut(name) {
        return Some(counts);
    }
    let none = Counts {
        succeeded: 0,
        failed: 0,
    };
    // Another CPU may be first: then this changes nothing.
    let _ = COUNTS.insert(name, none, BPF_NOEXIST.into());
    COUNTS.get_ptr_mut(name)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
