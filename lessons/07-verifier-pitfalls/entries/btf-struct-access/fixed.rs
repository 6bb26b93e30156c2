#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, bpf_probe_read_kernel},
    macros::fentry,
    programs::FEntryContext,
};

const AF_INET6: u16 = 10;

#[repr(C)]
struct SockaddrIn6 {
    family: u16,
    port: u16,
    flow: u32,
    address: [u32; 4],
    scope: u32,
}

#[fentry(function = "security_socket_connect")]
pub fn btf_struct_access(ctx: FEntryContext) -> i32 {
    let (address, length): (*const SockaddrIn6, i32) = (ctx.arg(1), ctx.arg(2));
    if (length as usize) < size_of::<SockaddrIn6>() {
        return 0;
    }
    // SAFETY: the helper returns an error if it cannot read there.
    let Ok(to) = (unsafe { bpf_probe_read_kernel(address) }) else {
        return 0;
    };
    if to.family == AF_INET6 {
        // SAFETY: the format takes one argument, and gets one.
        unsafe {
            bpf_printk!(
                c"to an address that ends with %08x",
                u32::from_be(to.address[3])
            )
        };
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
