/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * From a frame to what the rules ask about. Each header is checked to lie inside the frame before it is read: the
 * verifier refuses a program that forgets it once.
 */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

enum {
	IPPROTO_HOPOPTS = 0,
	IPPROTO_ICMP = 1,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_DSTOPTS = 60,
};

/* Extension headers of IPv6 that are looked past. The verifier must see that the loop ends. */
#define EXTENSIONS 4

/* What a frame carries: src/counting.rs has the same in Rust. */
enum kind { OTHER, TCP, UDP, ICMP, ICMPV6, FRAGMENT, MALFORMED };

/* The headers that were found. At most one of v4 and v6 is there. */
struct packet {
	struct ethhdr *ethernet;
	struct iphdr *v4;
	struct ipv6hdr *v6;
	struct udphdr *udp;
	struct icmphdr *icmp;
};

// ANCHOR: bounds
/* The rest of a frame: where the next header begins, and where all ends. */
struct cursor {
	void *at;
	void *end;
	/* How much is left: of the frame, then of what the IP header says. It may say less: short frames are filled up. */
	__u32 left;
};

static __always_inline void *take(struct cursor *cursor, __u32 size)
{
	void *header = cursor->at;

	if (size > cursor->left || header + size > cursor->end)
		return NULL;
	cursor->at += size;
	cursor->left -= size;
	return header;
}
// ANCHOR_END: bounds

/* Believes a length in a header only if the frame has that much. */
static __always_inline bool limit(struct cursor *cursor, __u32 length)
{
	if (length > cursor->left)
		return false;
	cursor->left = length;
	return true;
}

static __always_inline enum kind transport(struct cursor *cursor, __u8 protocol, struct packet *packet)
{
	__u32 left = cursor->left;
	struct tcphdr *tcp;

	if (protocol == IPPROTO_TCP) {
		tcp = take(cursor, sizeof(*tcp));
		return tcp && tcp->doff * 4 >= sizeof(*tcp) && tcp->doff * 4 <= left ? TCP : MALFORMED;
	}
	if (protocol == IPPROTO_UDP) {
		struct udphdr *udp = packet->udp = take(cursor, sizeof(*udp));

		return udp && bpf_ntohs(udp->len) >= sizeof(*udp) && bpf_ntohs(udp->len) <= left ? UDP : MALFORMED;
	}
	if (protocol == IPPROTO_ICMP && packet->v4) {
		packet->icmp = take(cursor, sizeof(*packet->icmp));
		return packet->icmp ? ICMP : MALFORMED;
	}
	if (protocol == IPPROTO_ICMPV6 && packet->v6) {
		packet->icmp = take(cursor, sizeof(*packet->icmp));
		return packet->icmp ? ICMPV6 : MALFORMED;
	}
	return OTHER;
}

// ANCHOR: ipv4
static __always_inline enum kind ipv4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));
	__u32 header, total;

	if (!ip)
		return MALFORMED;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header)
		return MALFORMED;
	if (!limit(cursor, total - sizeof(*ip)))
		return MALFORMED;
	/* The options, which nobody here looks at. */
	if (!take(cursor, header - sizeof(*ip)))
		return MALFORMED;

	packet->v4 = ip;
	/* Without the flag "don't fragment": is there an offset, or more to come? */
	if (bpf_ntohs(ip->frag_off) & 0x3fff)
		return FRAGMENT;
	return transport(cursor, ip->protocol, packet);
}
// ANCHOR_END: ipv4

static __always_inline enum kind ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr *ip = take(cursor, sizeof(*ip));
	struct ipv6_opt_hdr *extension;
	__u8 next;

	if (!ip || ip->version != 6 || !limit(cursor, bpf_ntohs(ip->payload_len)))
		return MALFORMED;
	next = ip->nexthdr;
	packet->v6 = ip;
	for (int i = 0; i < EXTENSIONS; i++) {
		if (next == IPPROTO_FRAGMENT)
			return FRAGMENT;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		extension = take(cursor, sizeof(*extension));
		if (!extension || !take(cursor, extension->hdrlen * 8))
			return MALFORMED;
		next = extension->nexthdr;
	}
	return transport(cursor, next, packet);
}

/* What the frame carries; its headers go into packet. */
static __always_inline enum kind parse(void *data, void *end, struct packet *packet)
{
	struct cursor cursor = { .at = data, .end = end, .left = end - data };
	struct ethhdr *ethernet;
	struct vlan_hdr *tag;
	__be16 proto;

	/* Keeps from the compiler that left and end say the same. If it sees that, as rustc does, it drops one of the two
	 * checks in take(), and the one that it keeps is not the one that the verifier understands.
	 */
	barrier_var(cursor.left);
	ethernet = take(&cursor, sizeof(*ethernet));
	if (!ethernet)
		return MALFORMED;
	packet->ethernet = ethernet;
	proto = ethernet->h_proto;
	/* Up to two VLAN tags. */
	for (int i = 0; i < 2; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		tag = take(&cursor, sizeof(*tag));
		if (!tag)
			return MALFORMED;
		proto = tag->h_vlan_encapsulated_proto;
	}
	if (proto == bpf_htons(ETH_P_IP))
		return ipv4(&cursor, packet);
	if (proto == bpf_htons(ETH_P_IPV6))
		return ipv6(&cursor, packet);
	return OTHER;
}
