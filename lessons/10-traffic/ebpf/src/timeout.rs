//! Sets an option of TCP on connections to the service's port, whichever program made them.

#![no_std]
#![no_main]

mod service;

use aya_ebpf::{
    EbpfContext as _, bindings::BPF_SOCK_OPS_TCP_CONNECT_CB, helpers::bpf_setsockopt,
    macros::sock_ops, programs::SockOpsContext,
};

use service::find_service;

const SOL_TCP: i32 = 6;
const TCP_USER_TIMEOUT: i32 = 18;

// ANCHOR: timeout
/// How long data may wait for its acknowledgement, in milliseconds, before the connection ends.
const TIMEOUT: u32 = 5_000;

#[sock_ops]
pub fn set_timeout(ctx: SockOpsContext) -> u32 {
    // The kernel calls for many reasons. This one is: the first segment is about to leave.
    if ctx.op() != BPF_SOCK_OPS_TCP_CONNECT_CB {
        return 0;
    }
    // remote_port has 32 bits in network order, so the port's 16 bits are the upper half there.
    let port = u32::from_be(ctx.remote_port());
    match find_service() {
        Some(service) if port == u32::from(u16::from_be(service.port)) => {}
        _ => return 0,
    }
    let (mut timeout, size) = (TIMEOUT, size_of::<u32>() as i32);
    let value = (&raw mut timeout).cast();
    // SAFETY: the kernel copies the value, whose size it is told.
    unsafe { bpf_setsockopt(ctx.as_ptr(), SOL_TCP, TCP_USER_TIMEOUT, value, size) };
    0
}
// ANCHOR_END: timeout

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
