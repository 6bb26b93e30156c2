//! Limits how many packets each source address may send in a span of time.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    helpers::bpf_ktime_get_ns,
    macros::{map, xdp},
    maps::{Array, LruHashMap},
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

/// User space sets it, at any time.
#[repr(C)]
struct Limit {
    packets: u64,
    /// Of so many nanoseconds.
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

#[map]
static LIMIT: Array<Limit> = Array::with_max_entries(1, 0);

/// When it is full, who was silent for longest is forgotten.
#[map]
static SOURCES: LruHashMap<[u8; 4], Source> = LruHashMap::with_max_entries(4096, 0);

#[xdp]
pub fn limit_rate(ctx: XdpContext) -> u32 {
    if ctx.data() + size_of::<Headers>() > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the headers lie inside the frame.
    let headers = unsafe { &*(ctx.data() as *const Headers) };
    if u16::from_be(headers.ethertype) != ETHERTYPE_IPV4 {
        return XDP_PASS;
    }
    let address = headers.source;
    // SAFETY: it only reads a clock.
    let now = unsafe { bpf_ktime_get_ns() };
    let (Some(limit), Some(source)) = (LIMIT.get(0), SOURCES.get_ptr_mut(address)) else {
        let _ = SOURCES.insert(address, Source { since: now, passed: 1, dropped: 0 }, 0);
        return XDP_PASS;
    };
    // SAFETY: the pointer is not null, and the value stays valid while the program runs.
    let source = unsafe { &mut *source };
    if now - source.since >= limit.window {
        source.since = now;
        source.passed = 0;
    }
    if source.passed >= limit.packets {
        source.dropped += 1;
        return XDP_DROP;
    }
    source.passed += 1;
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
