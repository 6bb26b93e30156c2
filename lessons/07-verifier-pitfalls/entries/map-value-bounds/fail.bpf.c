// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct counters {
	u64 packets[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters);
} by_class SEC(".maps");

SEC("xdp")
int map_value_bounds(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data;
	u8 *data_end = (void *)(long)ctx->data_end;
	u32 key = 0;
	struct counters *counters = bpf_map_lookup_elem(&by_class, &key);

	if (!counters || data + 34 > data_end)
		return XDP_PASS;
	/* There are 64 classes of service, but the byte that holds the class has two more bits. */
	counters->packets[data[15]] += 1;
	return XDP_PASS;
}
