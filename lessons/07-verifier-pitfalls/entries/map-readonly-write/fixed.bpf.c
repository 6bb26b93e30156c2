// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* How many packets each queue may still take. User space refills it every second. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u64);
} quota SEC(".maps");

SEC("xdp")
int map_readonly_write(struct xdp_md *ctx)
{
	u32 queue = ctx->rx_queue_index;
	u64 *left = bpf_map_lookup_elem(&quota, &queue);

	if (!left || *left == 0)
		return XDP_DROP;
	*left -= 1;
	return XDP_PASS;
}
