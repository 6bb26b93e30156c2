// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0

struct seen {
	u8 priorities[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct seen);
} seen_here SEC(".maps");

SEC("tc")
int ptr_arith_out_of_bounds(struct __sk_buff *skb)
{
	u32 key = 0;
	struct seen *seen = bpf_map_lookup_elem(&seen_here, &key);
	int priority = skb->priority;

	if (!seen)
		return TC_ACT_OK;
	/* In the kernel this is an unsigned number: as an `int`, a high one is less than 0. */
	if (priority > 15)
		priority = 15;
	seen->priorities[priority] = 1;
	return TC_ACT_OK;
}
