// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Where a packet comes from and goes to.

// One of the two, or neither if it is not an IP packet.
struct address {
	__be32 *ipv4;
	struct in6_addr *ipv6;
};

static __always_inline struct address find_source(struct packet *packet)
{
	return (struct address){
		.ipv4 = packet->ipv4 ? &packet->ipv4->saddr : NULL,
		.ipv6 = packet->ipv6 ? &packet->ipv6->saddr : NULL,
	};
}

static __always_inline struct address find_destination(struct packet *packet)
{
	return (struct address){
		.ipv4 = packet->ipv4 ? &packet->ipv4->daddr : NULL,
		.ipv6 = packet->ipv6 ? &packet->ipv6->daddr : NULL,
	};
}
