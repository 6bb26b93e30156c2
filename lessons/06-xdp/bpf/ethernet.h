// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The Ethernet header and VLAN tags. From here, the parser goes on to IP.
#include "cursor.h"
#include "packet.h"
#include "transport.h"
#include "ip.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

// ANCHOR: parse
// The Ethernet header and up to two VLAN tags. Returns the type of what follows, or
// -1 if the frame is malformed.
static __always_inline int parse_ethernet(struct cursor *cursor, struct packet *packet)
{
	struct ethhdr *eth = take_bytes(cursor, sizeof(*eth));
	struct vlan_hdr *vlan;
	__be16 h_proto;

	if (!eth)
		return -1;
	h_proto = eth->h_proto;
	packet->eth = eth;
	for (int i = 0; i < 2; i++) {
		if (h_proto == bpf_htons(ETH_P_8021Q) || h_proto == bpf_htons(ETH_P_8021AD)) {
			vlan = take_bytes(cursor, sizeof(*vlan));
			if (!vlan)
				return -1;
			h_proto = vlan->h_vlan_encapsulated_proto;
		}
	}
	return h_proto;
}

// Fills packet with the headers of the frame.
static __always_inline enum kind parse_packet(void *data, void *end, struct packet *packet)
{
	struct cursor cursor = new_cursor(data, end);

	switch (parse_ethernet(&cursor, packet)) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(&cursor, packet);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(&cursor, packet);
	case -1:
		return MALFORMED;
	default:
		return OTHER;
	}
}
// ANCHOR_END: parse
