//! Which addresses are blocked.

use aya_ebpf::{
    bindings::xdp_action::XDP_DROP,
    btf_maps::{LpmTrie, lpm_trie::Key},
    macros::btf_map,
};
use xdp_ebpf::address::Address;

// ANCHOR: rules
/// A network, and the verdict for packets from there: XDP_DROP, or XDP_PASS for an exception. A
/// lookup finds the entry with the longest prefix.
#[btf_map]
static RULES_V4: LpmTrie<[u8; 4], u32, 100_000> = LpmTrie::new();
#[btf_map]
static RULES_V6: LpmTrie<[u8; 16], u32, 100_000> = LpmTrie::new();
// ANCHOR_END: rules

// ANCHOR: lookup
#[inline(always)]
pub fn is_blocked(address: Address<'_>) -> bool {
    let rule = match (address.ipv4, address.ipv6) {
        (Some(ipv4), _) => RULES_V4.get(&Key::new(32, *ipv4)),
        (_, Some(ipv6)) => RULES_V6.get(&Key::new(128, *ipv6)),
        _ => None,
    };
    rule == Some(&XDP_DROP)
}
// ANCHOR_END: lookup
