//! The sockets that were connected to a backend.

use aya_ebpf::{
    EbpfContext as _, bindings::bpf_sock_addr, btf_maps::LruHashMap,
    helpers::bpf_get_socket_cookie, macros::btf_map, programs::SockAddrContext,
};
use traffic_ebpf::endpoint::Endpoint;

use crate::backends::{choose_backend, find_backend};

// ANCHOR: sockets
/// The cookie of each socket that was connected here, a number that no other socket has, and the
/// index of its backend.
#[btf_map]
static SOCKETS: LruHashMap<u64, u32, 65_536> = LruHashMap::new();

/// A backend for this socket. `None` if no backend is up.
#[inline(always)]
pub fn connect_socket(ctx: &SockAddrContext) -> Option<&'static Endpoint> {
    let index = choose_backend()?;
    SOCKETS.insert(cookie(ctx), index, 0).ok()?;
    find_backend(index)
}

/// The backend that the socket was given. It may be connected to another address by now: a program
/// can call connect again.
#[inline(always)]
pub fn find_given(ctx: &SockAddrContext) -> Option<&'static Endpoint> {
    let index = SOCKETS.get_ptr(cookie(ctx))?;
    // SAFETY: entries have 4 bytes, and an index that was replaced meanwhile is one, too.
    find_backend(unsafe { *index })
}
// ANCHOR_END: sockets

#[inline(always)]
fn cookie(ctx: &SockAddrContext) -> u64 {
    // SAFETY: the context is the kernel's.
    unsafe { bpf_get_socket_cookie(ctx.as_ptr()) }
}

#[inline(always)]
pub fn fields(ctx: &mut SockAddrContext) -> &mut bpf_sock_addr {
    // SAFETY: the context is the kernel's, and nothing else refers to it.
    unsafe { &mut *ctx.sock_addr }
}

// ANCHOR: address
/// Word by word: of `addr.user_ip6 = *address` rustc makes a call of `memmove` with the address of
/// the context in it, and the verifier refuses that.
#[inline(always)]
pub fn set_address(addr: &mut bpf_sock_addr, address: &[u32; 4]) {
    addr.user_ip6[0] = address[0];
    addr.user_ip6[1] = address[1];
    addr.user_ip6[2] = address[2];
    addr.user_ip6[3] = address[3];
}
// ANCHOR_END: address
