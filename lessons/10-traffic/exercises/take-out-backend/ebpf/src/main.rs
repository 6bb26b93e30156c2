//! Shares out the connections to a service among its backends.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::Array,
    macros::{btf_map, cgroup_sock_addr},
    programs::SockAddrContext,
};

const ALLOW: i32 = 1;

/// The ports of the backends, as numbers of this machine, from index 0 on.
#[btf_map]
static BACKENDS: Array<u32, 16> = Array::new();

/// Index 0: how many of BACKENDS are used. Index 1: the port of the service.
#[btf_map]
static SETTINGS: Array<u32, 2> = Array::new();

/// How many connections there were. On several CPUs at once some may go to the same backend.
#[btf_map]
static CONNECTIONS: Array<u32, 1> = Array::new();

#[cgroup_sock_addr(connect4)]
pub fn balance(ctx: SockAddrContext) -> i32 {
    let _ = choose_backend(&ctx);
    ALLOW
}

#[inline(always)]
fn choose_backend(ctx: &SockAddrContext) -> Option<()> {
    // SAFETY: the kernel's own, and valid while the program runs.
    let address = unsafe { &mut *ctx.sock_addr };
    let backends = *SETTINGS.get(0)?;
    let service = *SETTINGS.get(1)?;
    if u32::from(u16::from_be(address.user_port as u16)) != service || backends == 0 {
        return None;
    }
    let connections = CONNECTIONS.get_ptr_mut(0)?;
    // SAFETY: the pointer is not null; another CPU may write meanwhile, and any number is one.
    let number = unsafe { *connections };
    // SAFETY: the same.
    unsafe { *connections = number.wrapping_add(1) };
    let backend = *BACKENDS.get(number % backends)? as u16;
    address.user_port = backend.to_be().into();
    Some(())
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
