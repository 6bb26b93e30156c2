//! The address that clients connect to.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use traffic_ebpf::endpoint::Endpoint;

#[btf_map]
static SERVICE: Array<Endpoint, 1> = Array::new();

#[inline(always)]
pub fn find_service() -> Option<&'static Endpoint> {
    SERVICE.get(0)
}
