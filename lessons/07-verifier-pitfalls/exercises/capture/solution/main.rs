//! Captures frames: their length, their first bytes, and a sum of their last bytes.

#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    bindings::TC_ACT_OK,
    btf_maps::RingBuf,
    helpers::generated::bpf_skb_load_bytes,
    macros::{btf_map, classifier},
    programs::TcContext,
};

/// Bytes at either end of a frame.
const PART: u32 = 256;

#[repr(C)]
struct Captured {
    length: u32,
    sum: u32,
    start: [u8; PART as usize],
}

#[btf_map]
static CAPTURED: RingBuf<(), { 64 * 1024 }> = RingBuf::new();

#[inline(never)]
fn sum_of_end(ctx: &TcContext) -> u32 {
    let mut end = [0u8; PART as usize];
    // SAFETY: the helper writes no more than the array holds.
    if unsafe {
        bpf_skb_load_bytes(
            ctx.as_ptr(),
            ctx.len() - PART,
            end.as_mut_ptr().cast(),
            PART,
        )
    } != 0
    {
        return 0;
    }
    end.iter().fold(0, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    })
}

#[classifier]
pub fn capture(ctx: TcContext) -> i32 {
    let Some(mut record) = CAPTURED.reserve_untyped::<Captured>(0) else {
        return TC_ACT_OK;
    };
    let captured = record.as_mut_ptr();
    // SAFETY: the helper writes no more than the array holds; it fails for a frame that is shorter.
    if unsafe { bpf_skb_load_bytes(ctx.as_ptr(), 0, (&raw mut (*captured).start).cast(), PART) }
        != 0
    {
        record.discard(0);
        return TC_ACT_OK;
    }
    let sum = sum_of_end(&ctx);
    // SAFETY: the record has room for both.
    unsafe {
        (*captured).length = ctx.len();
        (*captured).sum = sum;
    }
    record.submit(0);
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
