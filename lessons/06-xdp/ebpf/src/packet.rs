//! From a frame to what the rules ask about. Each header is checked to lie inside the frame before
//! it is read: the verifier refuses a program that forgets it once.

use core::hint::black_box;

use crate::counting::Kind;
use crate::headers::*;

/// Extension headers of IPv6 that are looked past. The verifier must see that the loop ends.
const EXTENSIONS: u32 = 4;

/// The headers that were found. At most one of `v4` and `v6` is there.
#[derive(Default)]
pub struct Packet<'a> {
    pub ethernet: Option<&'a mut Ethernet>,
    pub v4: Option<&'a mut Ipv4>,
    pub v6: Option<&'a mut Ipv6>,
    pub udp: Option<&'a mut Udp>,
    pub icmp: Option<&'a mut Icmp>,
}

// ANCHOR: bounds
/// The rest of a frame: where the next header begins, and where all ends.
struct Cursor {
    at: usize,
    end: usize,
    /// How much is left: of the frame, then of what the IP header says. It may say less: short
    /// frames are filled up.
    left: usize,
}

impl Cursor {
    /// The black box keeps from the compiler that `left` and `end` say the same. It would drop one
    /// of the two checks in `skip`, and the one that it keeps is not the one that the verifier
    /// understands.
    #[inline(always)]
    fn new(data: usize, end: usize) -> Self {
        Self {
            at: data,
            end,
            left: black_box(end - data),
        }
    }

    #[inline(always)]
    fn take<'a, T>(&mut self) -> Option<&'a mut T> {
        let header = self.at as *mut T;
        self.skip(size_of::<T>())?;
        // SAFETY: `skip` saw that the header lies inside the frame; any bytes make a header, and
        // its address is even; and nobody else has these bytes, because the cursor has gone on.
        Some(unsafe { &mut *header })
    }

    #[inline(always)]
    fn skip(&mut self, size: usize) -> Option<()> {
        if size > self.left || self.at + size > self.end {
            return None;
        }
        self.at += size;
        self.left -= size;
        Some(())
    }
    // ANCHOR_END: bounds

    /// Believes a length in a header only if the frame has that much.
    #[inline(always)]
    fn limit(&mut self, length: usize) -> Option<()> {
        if length > self.left {
            return None;
        }
        self.left = length;
        Some(())
    }
}

/// What the frame carries; its headers go into `packet`. `None`: it is malformed.
#[inline(always)]
pub fn parse<'a>(data: usize, end: usize, packet: &mut Packet<'a>) -> Option<Kind> {
    let mut cursor = Cursor::new(data, end);
    match ethertype(&mut cursor, packet)? {
        ETHERTYPE_IPV4 => ipv4(&mut cursor, packet),
        ETHERTYPE_IPV6 => ipv6(&mut cursor, packet),
        _ => Some(Kind::Other),
    }
}

/// The Ethernet header and up to two VLAN tags.
#[inline(always)]
fn ethertype<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<u16> {
    let ethernet: &'a mut Ethernet = cursor.take()?;
    let mut ethertype = u16::from_be(ethernet.ethertype);
    packet.ethernet = Some(ethernet);
    for _ in 0..2 {
        if ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ {
            ethertype = u16::from_be(cursor.take::<Vlan>()?.ethertype);
        }
    }
    Some(ethertype)
}

// ANCHOR: ipv4
#[inline(always)]
fn ipv4<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<Kind> {
    let ip: &'a mut Ipv4 = cursor.take()?;
    let header = usize::from(ip.version_and_length & 0x0f) * 4;
    let total = usize::from(u16::from_be(ip.total_length));
    if ip.version_and_length >> 4 != 4 || header < size_of::<Ipv4>() || total < header {
        return None;
    }
    cursor.limit(total - size_of::<Ipv4>())?;
    // The options, which nobody here looks at.
    cursor.skip(header - size_of::<Ipv4>())?;

    // Without the flag "don't fragment": is there an offset, or more to come?
    let fragment = u16::from_be(ip.fragment) & 0x3fff != 0;
    let protocol = ip.protocol;
    packet.v4 = Some(ip);
    if fragment {
        return Some(Kind::Fragment);
    }
    transport(cursor, protocol, packet)
}
// ANCHOR_END: ipv4

#[inline(always)]
fn ipv6<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<Kind> {
    let ip: &'a mut Ipv6 = cursor.take()?;
    if ip.version >> 4 != 6 {
        return None;
    }
    cursor.limit(usize::from(u16::from_be(ip.payload_length)))?;
    let mut next = ip.next_header;
    packet.v6 = Some(ip);
    for _ in 0..EXTENSIONS {
        match next {
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let extension: &mut Extension = cursor.take()?;
                next = extension.next_header;
                cursor.skip(usize::from(extension.length) * 8)?;
            }
            FRAGMENT => return Some(Kind::Fragment),
            _ => break,
        }
    }
    transport(cursor, next, packet)
}

#[inline(always)]
fn transport<'a>(cursor: &mut Cursor, protocol: u8, packet: &mut Packet<'a>) -> Option<Kind> {
    let left = cursor.left;
    match protocol {
        TCP => {
            let tcp: &mut Tcp = cursor.take()?;
            let header = usize::from(tcp.length >> 4) * 4;
            (size_of::<Tcp>()..=left)
                .contains(&header)
                .then_some(Kind::Tcp)
        }
        UDP => {
            let udp: &'a mut Udp = cursor.take()?;
            let length = usize::from(u16::from_be(udp.length));
            packet.udp = Some(udp);
            (size_of::<Udp>()..=left)
                .contains(&length)
                .then_some(Kind::Udp)
        }
        ICMP if packet.v4.is_some() => {
            packet.icmp = Some(cursor.take()?);
            Some(Kind::Icmp)
        }
        ICMPV6 if packet.v6.is_some() => {
            packet.icmp = Some(cursor.take()?);
            Some(Kind::Icmpv6)
        }
        _ => Some(Kind::Other),
    }
}
