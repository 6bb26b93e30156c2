// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define TC_ACT_SHOT 2
#define FLOWS 50000
#define CLASSES 8
#define QUOTA (1ull << 30)

/* Written by user space, from its own statistics. */
struct table {
	u64 bytes[FLOWS][CLASSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct table);
} by_flow SEC(".maps");

SEC("tc")
int complexity_insns(struct __sk_buff *skb)
{
	u32 key = 0;
	struct table *table = bpf_map_lookup_elem(&by_flow, &key);

	if (!table)
		return TC_ACT_OK;
	u64 total = 0;

	/* It ends, but only after 50000 rounds. */
	for (u32 flow = 0; flow < FLOWS; flow++)
		for (u32 class = 0; class < CLASSES; class++)
			total += table->bytes[flow][class];
	return total > QUOTA ? TC_ACT_SHOT : TC_ACT_OK;
}
