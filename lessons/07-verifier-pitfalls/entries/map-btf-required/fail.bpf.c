// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct bpf_spin_lock {
	u32 val;
};

struct traffic {
	struct bpf_spin_lock lock;
	u64 packets;
	u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	/* The sizes alone do not say that the value contains a lock. */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct traffic));
} total SEC(".maps");

SEC("xdp")
int map_btf_required(struct xdp_md *ctx)
{
	u32 key = 0;
	u64 bytes = ctx->data_end - ctx->data;
	struct traffic *traffic = bpf_map_lookup_elem(&total, &key);

	if (!traffic)
		return XDP_PASS;
	bpf_spin_lock(&traffic->lock);
	traffic->packets += 1;
	traffic->bytes += bytes;
	bpf_spin_unlock(&traffic->lock);
	return XDP_PASS;
}
