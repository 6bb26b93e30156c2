// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct bpf_spin_lock {
	u32 val;
};

struct bucket {
	struct bpf_spin_lock lock;
	u32 tokens;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC("xdp")
int lock_rules(struct xdp_md *ctx)
{
	u32 key = 0;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &key);

	if (!bucket)
		return XDP_PASS;
	bpf_spin_lock(&bucket->lock);
	/* This return keeps the lock. */
	if (!bucket->tokens)
		return XDP_DROP;
	bucket->tokens--;
	bpf_spin_unlock(&bucket->lock);
	return XDP_PASS;
}
