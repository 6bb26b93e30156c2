#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_OK,
    btf_maps::HashMap,
    helpers::generated::bpf_ktime_get_ns,
    macros::{btf_map, classifier},
    programs::TcContext,
};

#[repr(C)]
struct Key {
    /// To this host, to all hosts, to another host.
    kind: u8,
    protocol: u16,
}

#[btf_map]
static LAST: HashMap<Key, u64, 1024> = HashMap::new();

#[classifier]
pub fn uninit_stack(ctx: TcContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    let skb = unsafe { &*ctx.skb.skb };
    // Both fields are set, but not the byte between them.
    let key = Key {
        kind: skb.pkt_type as u8,
        protocol: skb.protocol as u16,
    };
    // SAFETY: it only reads a clock.
    let _ = LAST.insert(key, unsafe { bpf_ktime_get_ns() }, 0);
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
