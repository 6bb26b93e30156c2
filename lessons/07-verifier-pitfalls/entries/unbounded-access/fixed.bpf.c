// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct table {
	u8 used[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct table);
} queues SEC(".maps");

SEC("xdp")
int unbounded_access(struct xdp_md *ctx)
{
	u32 key = 0;
	u32 queue = ctx->rx_queue_index;
	struct table *table = bpf_map_lookup_elem(&queues, &key);

	if (!table)
		return XDP_PASS;
	if (queue >= sizeof(table->used))
		return XDP_PASS;
	table->used[queue] = 1;
	return XDP_PASS;
}
