// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Where the header after the IP header begins, and of which protocol it is.

static __always_inline bool find_transport(struct __sk_buff *ctx, __u8 *protocol, __u32 *transport)
{
	__be16 h_proto;
	__u8 first;

	if (bpf_skb_load_bytes(ctx, 12, &h_proto, sizeof(h_proto)) ||
	    bpf_skb_load_bytes(ctx, ETH_HLEN, &first, sizeof(first)))
		return false;
	switch (h_proto) {
	case bpf_htons(ETH_P_IP):
		*transport = ETH_HLEN + (first & 15) * 4;
		return !bpf_skb_load_bytes(ctx, ETH_HLEN + 9, protocol, 1);
	case bpf_htons(ETH_P_IPV6):
		*transport = ETH_HLEN + 40;
		return !bpf_skb_load_bytes(ctx, ETH_HLEN + 6, protocol, 1);
	default:
		return false;
	}
}
