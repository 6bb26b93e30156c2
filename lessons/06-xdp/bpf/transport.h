// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The headers of TCP, UDP and ICMP.

static __always_inline enum kind parse_transport(struct cursor *cursor, __u8 protocol,
						 struct packet *packet)
{
	__u32 left = cursor->left, length;
	struct tcphdr *tcp;
	struct udphdr *udp;

	if (protocol == IPPROTO_TCP) {
		tcp = take_bytes(cursor, sizeof(*tcp));
		if (!tcp)
			return MALFORMED;
		length = tcp->doff * 4;
		return length < sizeof(*tcp) || length > left ? MALFORMED : TCP;
	}
	if (protocol == IPPROTO_UDP) {
		udp = take_bytes(cursor, sizeof(*udp));
		if (!udp)
			return MALFORMED;
		length = bpf_ntohs(udp->len);
		packet->udp = udp;
		return length < sizeof(*udp) || length > left ? MALFORMED : UDP;
	}
	if (protocol == IPPROTO_ICMP && packet->ipv4) {
		packet->icmp = take_bytes(cursor, sizeof(*packet->icmp));
		return packet->icmp ? ICMP : MALFORMED;
	}
	if (protocol == IPPROTO_ICMPV6 && packet->ipv6) {
		packet->icmp = take_bytes(cursor, sizeof(*packet->icmp));
		return packet->icmp ? ICMPV6 : MALFORMED;
	}
	return OTHER;
}
