//! A table says, for a port, what bind(2) is to return: 0, or a negative error number.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::bpf_probe_read_kernel,
    macros::{btf_map, lsm},
    programs::LsmContext,
};

const EPERM: i32 = 1;
const MAX_ERRNO: i64 = 4095;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// The start of every address of IPv4 and IPv6. It is part of the interface with user programs, so
/// it never changes.
#[repr(C)]
struct Address {
    family: u16,
    /// Big-endian.
    port: u16,
}

/// By port. User space fills it in, and can make mistakes.
#[btf_map]
static VERDICTS: HashMap<u16, i64, 1024> = HashMap::new();

/// `None` when it is an address of another kind.
fn port_of(address: *const Address) -> Option<u16> {
    // SAFETY: the helper fails when the address cannot be read.
    let address = unsafe { bpf_probe_read_kernel(address) }.ok()?;
    let has_port = address.family == AF_INET || address.family == AF_INET6;
    has_port.then_some(u16::from_be(address.port))
}

/// The hook is `socket_bind(socket, address, length)`.
#[lsm(hook = "socket_bind")]
pub fn on_bind(ctx: LsmContext) -> i32 {
    let (address, previous): (*const Address, i32) = (ctx.arg(1), ctx.arg(3));
    if previous != 0 {
        return previous;
    }
    let Some(port) = port_of(address) else {
        return 0;
    };
    let Some(verdict) = VERDICTS.get_ptr(port) else {
        return 0;
    };
    // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
    let verdict = unsafe { *verdict };
    // TODO: the verifier has to know what this can be.
    let _ = (EPERM, MAX_ERRNO);
    verdict as i32
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
