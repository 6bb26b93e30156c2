// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 6: tc, the neighbour of XDP, also sees what goes out.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"
#include "rules.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} egress_drops SEC(".maps");

// ANCHOR: egress
SEC("tc")
int egress(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	__u32 zero = 0;
	__u64 *drops;

	parse_packet(data, end, &packet);
	if (!is_blocked(find_destination(&packet)))
		return TC_ACT_OK;
	drops = bpf_map_lookup_elem(&egress_drops, &zero);
	if (drops)
		(*drops)++;
	return TC_ACT_SHOT;
}
// ANCHOR_END: egress
