// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The headers of IPv4 and IPv6.

// How many extension headers of IPv6 are skipped. The verifier must see that the loop ends.
#define EXTENSIONS 4

// ANCHOR: ipv4
static __always_inline enum kind parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr *ip = take_bytes(cursor, sizeof(*ip));
	__u32 ihl, tot_len;

	if (!ip)
		return MALFORMED;
	ihl = ip->ihl * 4; // in bytes; the field in the header is in 32-bit words
	tot_len = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ihl < sizeof(*ip) || tot_len < ihl)
		return MALFORMED;
	if (!limit_packet(cursor, tot_len - sizeof(*ip)))
		return MALFORMED;
	if (!take_bytes(cursor, ihl - sizeof(*ip))) // the options
		return MALFORMED;

	packet->ipv4 = ip;
	// More fragments follow, or this one does not begin at offset 0.
	if (bpf_ntohs(ip->frag_off) & (IP_MF | IP_OFFSET))
		return FRAGMENT;
	return parse_transport(cursor, ip->protocol, packet);
}
// ANCHOR_END: ipv4

static __always_inline enum kind parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr *ip = take_bytes(cursor, sizeof(*ip));
	struct ipv6_opt_hdr *extension;
	__u8 nexthdr;

	if (!ip || ip->version != 6 || !limit_packet(cursor, bpf_ntohs(ip->payload_len)))
		return MALFORMED;
	nexthdr = ip->nexthdr;
	packet->ipv6 = ip;
	for (int i = 0; i < EXTENSIONS; i++) {
		if (nexthdr == IPPROTO_FRAGMENT)
			return FRAGMENT;
		if (nexthdr != IPPROTO_HOPOPTS && nexthdr != IPPROTO_ROUTING &&
		    nexthdr != IPPROTO_DSTOPTS)
			break;
		extension = take_bytes(cursor, sizeof(*extension));
		if (!extension || !take_bytes(cursor, extension->hdrlen * 8))
			return MALFORMED;
		nexthdr = extension->nexthdr;
	}
	return parse_transport(cursor, nexthdr, packet);
}
