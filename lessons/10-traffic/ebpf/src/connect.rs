//! The same load balancer at the socket: the address changes once, when a program calls connect.

#![no_std]
#![no_main]

mod backends;
mod service;
mod sockets;

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

use service::find_service;
use sockets::{connect_socket, fields, find_given, set_address};

/// connect fails with EPERM.
const DENY: i32 = 0;
const ALLOW: i32 = 1;

// ANCHOR: connect
#[cgroup_sock_addr(connect4)]
pub fn connect4(mut ctx: SockAddrContext) -> i32 {
    let (Some(service), addr) = (find_service(), fields(&mut ctx)) else {
        return ALLOW;
    };
    if addr.user_ip4 != service.ipv4[3] || addr.user_port != service.port.into() {
        return ALLOW;
    }
    let Some(backend) = connect_socket(&ctx) else {
        return DENY; // no backend is up
    };
    let addr = fields(&mut ctx);
    addr.user_ip4 = backend.ipv4[3];
    addr.user_port = backend.port.into();
    ALLOW
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(mut ctx: SockAddrContext) -> i32 {
    let (Some(service), addr) = (find_service(), fields(&mut ctx)) else {
        return ALLOW;
    };
    if addr.user_ip6 != service.ipv6 || addr.user_port != service.port.into() {
        return ALLOW;
    }
    let Some(backend) = connect_socket(&ctx) else {
        return DENY; // no backend is up
    };
    let addr = fields(&mut ctx);
    set_address(addr, &backend.ipv6);
    addr.user_port = backend.port.into();
    ALLOW
}
// ANCHOR_END: connect

// ANCHOR: getpeername
/// A program that asks whom it is connected to hears the address that it asked for, the service.
#[cgroup_sock_addr(getpeername4)]
pub fn getpeername4(mut ctx: SockAddrContext) -> i32 {
    let (Some(backend), Some(service)) = (find_given(&ctx), find_service()) else {
        return ALLOW;
    };
    let addr = fields(&mut ctx);
    if addr.user_ip4 == backend.ipv4[3] && addr.user_port == backend.port.into() {
        addr.user_ip4 = service.ipv4[3];
        addr.user_port = service.port.into();
    }
    ALLOW
}
// ANCHOR_END: getpeername

#[cgroup_sock_addr(getpeername6)]
pub fn getpeername6(mut ctx: SockAddrContext) -> i32 {
    let (Some(backend), Some(service)) = (find_given(&ctx), find_service()) else {
        return ALLOW;
    };
    let addr = fields(&mut ctx);
    if addr.user_ip6 == backend.ipv6 && addr.user_port == backend.port.into() {
        set_address(addr, &service.ipv6);
        addr.user_port = service.port.into();
    }
    ALLOW
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
