// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct key {
	u8 queue;
	u16 interface;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct key);
	__type(value, u64);
} counters SEC(".maps");

SEC("xdp")
int padding_in_key(struct xdp_md *ctx)
{
	struct key key;
	u64 *counter;

	key.queue = ctx->rx_queue_index;
	/* The byte between the two fields is part of the key too. */
	key.interface = ctx->ingress_ifindex;
	counter = bpf_map_lookup_elem(&counters, &key);
	if (counter)
		*counter += 1;
	return XDP_PASS;
}
