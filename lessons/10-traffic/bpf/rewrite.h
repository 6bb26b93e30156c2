// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Puts another address and port into a packet, and corrects its checksums by the difference.

// Which end of the packet: the index in the pairs of addresses and ports of its headers.
enum side { SOURCE, DESTINATION };

// ANCHOR: rewrite
static __always_inline long rewrite_peer(struct __sk_buff *ctx, const struct packet *packet,
					 enum side side, const struct peer *to)
{
	const struct peer *from = side == SOURCE ? &packet->source : &packet->destination;
	// The checksum of UDP may be 0, for "none": it stays so.
	bool is_udp = packet->protocol == IPPROTO_UDP;
	__u64 flags = is_udp ? BPF_F_MARK_MANGLED_0 : 0;
	// TCP and UDP sum up the addresses too, as a "pseudo header".
	__u64 pseudo = flags | BPF_F_PSEUDO_HDR;
	__u32 check = packet->transport + (is_udp ? 6 : 16), at;
	long error = 0;

	if (packet->is_ipv4) {
		__be32 old = from->address[3], new = to->address[3];

		at = ETH_HLEN + 12 + side * 4;
		error = bpf_l3_csum_replace(ctx, ETH_HLEN + 10, old, new, 4) ?:
			bpf_l4_csum_replace(ctx, check, old, new, pseudo | 4) ?:
			bpf_skb_store_bytes(ctx, at, &new, sizeof(new), 0);
	} else {
		for (int i = 0; i < 4 && !error; i++)
			error = bpf_l4_csum_replace(ctx, check, from->address[i], to->address[i],
						    pseudo | 4);
		// IPv6 has no checksum that would make up for the address in the sum that a
		// network card may have made of the whole packet. The flag corrects that.
		at = ETH_HLEN + 8 + side * 16;
		error = error ?: bpf_skb_store_bytes(ctx, at, to->address, 16,
						     BPF_F_RECOMPUTE_CSUM);
	}
	at = packet->transport + side * 2;
	return error ?: bpf_l4_csum_replace(ctx, check, from->port, to->port, flags | 2) ?:
			bpf_skb_store_bytes(ctx, at, &to->port, sizeof(to->port), 0);
}
// ANCHOR_END: rewrite
