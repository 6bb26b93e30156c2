// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The length of a name in one byte, the name, padding, and the action at a multiple of 4 bytes. */
struct rule {
	u8 bytes[512];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rule);
} rules SEC(".maps");

SEC("xdp")
int ptr_bitwise_op(struct xdp_md *ctx)
{
	u32 key = 0;
	u8 *rule = bpf_map_lookup_elem(&rules, &key);
	u8 *action;

	if (!rule)
		return XDP_PASS;
	/* This rounds up the address, not the offset. */
	action = (u8 *)(((long)rule + 1 + rule[0] + 3) & ~3);
	return *action;
}
