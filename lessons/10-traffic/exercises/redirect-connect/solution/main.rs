//! Sends the TCP connections of a cgroup to other ports, or denies them.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    macros::{btf_map, cgroup_sock_addr},
    programs::SockAddrContext,
};

const TCP: u32 = 6;

/// What a program for `connect` may say; connect(2) then fails with EPERM, or goes on.
const DENY: i32 = 0;
const ALLOW: i32 = 1;

/// From the port that is asked for to the one to take, as numbers of this machine. 0 denies.
#[btf_map]
static PORTS: HashMap<u16, u16, 1024> = HashMap::new();

#[cgroup_sock_addr(connect4)]
pub fn on_connect4(ctx: SockAddrContext) -> i32 {
    change_port(&ctx)
}

#[cgroup_sock_addr(connect6)]
pub fn on_connect6(ctx: SockAddrContext) -> i32 {
    change_port(&ctx)
}

#[inline(always)]
fn change_port(ctx: &SockAddrContext) -> i32 {
    // SAFETY: the kernel's own, and valid while the program runs.
    let address = unsafe { &mut *ctx.sock_addr };
    if address.protocol != TCP {
        return ALLOW;
    }
    // The lowest 16 bits, in network byte order.
    let port = u16::from_be(address.user_port as u16);
    // SAFETY: user space may change the number meanwhile, which is one then as well.
    match unsafe { PORTS.get(port) }.copied() {
        None => ALLOW,
        Some(0) => DENY,
        Some(other) => {
            address.user_port = other.to_be().into();
            ALLOW
        }
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
