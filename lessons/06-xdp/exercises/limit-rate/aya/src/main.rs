//! Limits how many packets each source address may send in a span of time.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::{
        BPF_NOEXIST,
        xdp_action::{XDP_DROP, XDP_PASS},
    },
    btf_maps::{Array, LruHashMap},
    helpers::bpf_ktime_get_ns,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;

/// The headers of Ethernet and IPv4.
#[repr(C)]
struct Headers {
    macs: [u16; 6],
    ethertype: u16,
    before_source: [u16; 6],
    source: [u8; 4],
    destination: [u8; 4],
}

/// User space may change it at any time.
#[repr(C)]
struct Limit {
    packets: u64,
    /// The length of a window, in nanoseconds.
    window: u64,
}

#[repr(C)]
struct Source {
    /// When its window began.
    since: u64,
    /// In this window.
    passed: u64,
    /// Ever.
    dropped: u64,
}

#[btf_map]
static LIMIT: Array<Limit, 1> = Array::new();

/// When it is full, the source that was silent for longest is removed.
#[btf_map]
static SOURCES: LruHashMap<[u8; 4], Source, 4096> = LruHashMap::new();

#[xdp]
pub fn limit_rate(ctx: XdpContext) -> u32 {
    if ctx.data() + size_of::<Headers>() > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the headers are inside the frame.
    let headers = unsafe { &*(ctx.data() as *const Headers) };
    if u16::from_be(headers.ethertype) != ETHERTYPE_IPV4 {
        return XDP_PASS;
    }
    let address = headers.source;
    // SAFETY: it only reads a clock.
    let now = unsafe { bpf_ktime_get_ns() };
    // Frames arrive on several CPUs: one inserts the entry, and all find it after that.
    let first = Source {
        since: now,
        passed: 0,
        dropped: 0,
    };
    let _ = SOURCES.insert(address, first, BPF_NOEXIST.into());
    let (Some(limit), Some(source)) = (LIMIT.get(0), SOURCES.get_ptr_mut(address)) else {
        return XDP_PASS;
    };
    // SAFETY: the pointer is not null, and the value stays valid while the program runs. What other
    // CPUs do meanwhile may let a few more packets pass; no count is lost.
    unsafe {
        // TODO: begin a new window when the old one is over; count and drop what is over the limit.
        let _ = (limit, XDP_DROP);
        atomic_xadd::<u64, u64, { Relaxed }>(&raw mut (*source).passed, 1);
    }
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
