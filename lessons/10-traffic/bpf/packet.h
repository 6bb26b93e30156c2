// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The addresses and ports of a packet. bpf_skb_load_bytes copies bytes out of it, wherever they
// are: parts of a large packet are not in data.
#include "endpoint.h"

// One end of a connection, in network order. IPv4 is in the form of IPv6: ::ffff:10.0.0.1.
struct peer {
	__be32 address[4];
	__be16 port;
};

struct packet {
	bool is_ipv4;
	__u8 protocol;
	__u32 transport; // where the TCP or UDP header begins
	struct peer source;
	struct peer destination;
	bool starts_connection; // the first segment of a connection, or any datagram
};

static __always_inline bool is_same(const struct peer *a, const struct peer *b)
{
	return a->address[0] == b->address[0] && a->address[1] == b->address[1] &&
	       a->address[2] == b->address[2] && a->address[3] == b->address[3] &&
	       a->port == b->port;
}

// The endpoint's address of the packet's family.
static __always_inline struct peer peer_at(const struct packet *packet, struct endpoint *endpoint)
{
	struct peer peer = { .port = endpoint->port };

	for (int i = 0; i < 4; i++)
		peer.address[i] = packet->is_ipv4 ? endpoint->ipv4[i] : endpoint->ipv6[i];
	return peer;
}

static __always_inline bool parse_ipv4(struct __sk_buff *ctx, struct packet *packet)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(ctx, ETH_HLEN, &ip, sizeof(ip)) ||
	    bpf_ntohs(ip.frag_off) & (IP_MF | IP_OFFSET))
		return false;
	packet->is_ipv4 = true;
	packet->protocol = ip.protocol;
	packet->transport = ETH_HLEN + ip.ihl * 4;
	packet->source.address[2] = bpf_htonl(0xffff);
	packet->source.address[3] = ip.saddr;
	packet->destination.address[2] = bpf_htonl(0xffff);
	packet->destination.address[3] = ip.daddr;
	return true;
}

// A packet with extension headers is no TCP or UDP here.
static __always_inline bool parse_ipv6(struct __sk_buff *ctx, struct packet *packet)
{
	packet->transport = ETH_HLEN + 40;
	return !bpf_skb_load_bytes(ctx, ETH_HLEN + 6, &packet->protocol, 1) &&
	       !bpf_skb_load_bytes(ctx, ETH_HLEN + 8, packet->source.address, 16) &&
	       !bpf_skb_load_bytes(ctx, ETH_HLEN + 24, packet->destination.address, 16);
}

// ANCHOR: parse
// False: not TCP or UDP, or a fragment. Only the first fragment of a packet has ports.
static __always_inline bool parse_packet(struct __sk_buff *ctx, struct packet *packet)
{
	__be16 h_proto;
	__u8 flags;

	if (bpf_skb_load_bytes(ctx, 12, &h_proto, sizeof(h_proto)))
		return false;
	if (h_proto == bpf_htons(ETH_P_IP) ? !parse_ipv4(ctx, packet) :
	    h_proto != bpf_htons(ETH_P_IPV6) || !parse_ipv6(ctx, packet))
		return false;
	if (packet->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(ctx, packet->transport + 13, &flags, sizeof(flags)))
			return false;
		packet->starts_connection = (flags & (TCPHDR_SYN | TCPHDR_ACK)) == TCPHDR_SYN;
	} else if (packet->protocol == IPPROTO_UDP) {
		packet->starts_connection = true;
	} else {
		return false;
	}
	return !bpf_skb_load_bytes(ctx, packet->transport, &packet->source.port, 2) &&
	       !bpf_skb_load_bytes(ctx, packet->transport + 2, &packet->destination.port, 2);
}
// ANCHOR_END: parse
