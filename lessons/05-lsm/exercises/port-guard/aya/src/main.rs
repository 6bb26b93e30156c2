//! Ports that belong to one user each. An attempt by another user is denied and reported, or only
//! reported.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{HashMap, RingBuf},
    helpers::{bpf_get_current_uid_gid, bpf_probe_read_kernel},
    macros::{btf_map, lsm},
    programs::LsmContext,
};

const EACCES: i32 = 13;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What a rule's action can be. DENY is 0.
const AUDIT: u32 = 1;

#[repr(C)]
pub struct Rule {
    /// The user that may bind the port.
    uid: u32,
    /// What happens to other users.
    action: u32,
}

/// By port. User space fills it in, and changes it at any time.
#[btf_map]
static RULES: HashMap<u16, Rule, 1024> = HashMap::new();

#[repr(C)]
pub struct Attempt {
    uid: u32,
    pid: u32,
    port: u16,
    /// 1, or 0.
    denied: u16,
    comm: [u8; 16],
}

#[btf_map]
static ATTEMPTS: RingBuf<(), 4096> = RingBuf::new();

/// The start of every address of IPv4 and IPv6. It is part of the interface with user programs, so
/// it never changes.
#[repr(C)]
struct Address {
    family: u16,
    /// Big-endian.
    port: u16,
}

/// `None` when it is an address of another kind.
fn port_of(address: *const Address) -> Option<u16> {
    // SAFETY: the helper fails when the address cannot be read.
    let address = unsafe { bpf_probe_read_kernel(address) }.ok()?;
    let has_port = address.family == AF_INET || address.family == AF_INET6;
    has_port.then_some(u16::from_be(address.port))
}

/// The hook is `socket_bind(socket, address, length)`.
#[lsm(hook = "socket_bind")]
pub fn guard_bind(ctx: LsmContext) -> i32 {
    let (address, previous): (*const Address, i32) = (ctx.arg(1), ctx.arg(3));
    if previous != 0 {
        return previous;
    }
    let Some(port) = port_of(address) else {
        return 0;
    };
    let Some(rule) = RULES.get_ptr(port) else {
        return 0;
    };
    // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
    let rule = unsafe { &*rule };
    if rule.uid == bpf_get_current_uid_gid() as u32 {
        return 0;
    }
    // TODO: look at the rule's action, and send an Attempt through ATTEMPTS.
    let _ = (&ATTEMPTS, rule.action, AUDIT);
    -EACCES
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
