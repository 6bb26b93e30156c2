//! Sends the TCP connections of a cgroup to other ports, or denies them.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    macros::{btf_map, cgroup_sock_addr},
    programs::SockAddrContext,
};

/// What a program for `connect` may say; with 0, connect(2) fails with EPERM.
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

/// TODO: look into PORTS, and change `user_port` of `ctx.sock_addr` or deny.
#[inline(always)]
fn change_port(_ctx: &SockAddrContext) -> i32 {
    ALLOW
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
