//! Where the header after the IP header begins, and of which protocol it is.

use aya_ebpf::programs::SkBuffContext;
use network_types::eth::EthHdr;
use network_types::ip::Ipv6Hdr;

use crate::headers::{ETH_P_IP, ETH_P_IPV6};

#[inline(always)]
pub fn find_transport(ctx: &SkBuffContext) -> Option<(u8, u32)> {
    let ip = EthHdr::LEN;
    match u16::from_be(ctx.load(12).ok()?) {
        ETH_P_IP => {
            let ihl = u32::from(ctx.load::<u8>(ip).ok()? & 15) * 4;
            Some((ctx.load(ip + 9).ok()?, ip as u32 + ihl))
        }
        ETH_P_IPV6 => Some((ctx.load(ip + 6).ok()?, (ip + Ipv6Hdr::LEN) as u32)),
        _ => None,
    }
}
