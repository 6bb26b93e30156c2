#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    helpers::generated::bpf_skb_load_bytes,
    macros::classifier,
    programs::TcContext,
};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const TCP: usize = 20;
/// Their offset in the TCP header.
const FLAGS: usize = 13;
const SYN: u8 = 2;

#[classifier]
pub fn stack_var_off(ctx: TcContext) -> i32 {
    let mut header = [0u8; ETHERNET + IPV4 + TCP];
    let length = header.len() as u32;
    // SAFETY: the helper writes no more than the array holds.
    if unsafe { bpf_skb_load_bytes(ctx.as_ptr(), 0, header.as_mut_ptr().cast(), length) } < 0 {
        return TC_ACT_OK;
    }
    let at = ETHERNET + usize::from(header[ETHERNET] & 15) * 4 + FLAGS;
    // The IPv4 header has 20 bytes without options, and up to 60 with them.
    // SAFETY: this is the mistake, and the verifier sees it: nothing limits the index.
    let flags = unsafe { *header.get_unchecked(at) };
    if flags & SYN == 0 {
        TC_ACT_OK
    } else {
        TC_ACT_SHOT
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
