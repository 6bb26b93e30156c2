// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	BPF_F_RDONLY_PROG = 1 << 7,
};

/* How many packets each queue may still take. User space refills it every second. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_RDONLY_PROG);
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
	/* The map's flag says that the program may only read from it. */
	*left -= 1;
	return XDP_PASS;
}
