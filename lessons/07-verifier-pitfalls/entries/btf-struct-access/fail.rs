#![no_std]
#![no_main]

use aya_ebpf::{helpers::bpf_printk, macros::fentry, programs::FEntryContext};

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
    let to: *const SockaddrIn6 = ctx.arg(1);
    // SAFETY: this is the mistake, and the verifier sees it: the kernel's function has a `struct
    // sockaddr` here, which is shorter.
    let (family, end) = unsafe { ((*to).family, (*to).address[3]) };
    if family == AF_INET6 {
        // SAFETY: the format takes one argument, and gets one.
        unsafe { bpf_printk!(c"to an address that ends with %08x", u32::from_be(end)) };
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
