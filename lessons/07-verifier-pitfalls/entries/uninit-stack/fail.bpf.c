// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0

struct key {
	u8 kind; /* to this host, to all, to another */
	u16 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct key);
	__type(value, u64);
} last SEC(".maps");

SEC("tc")
int uninit_stack(struct __sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns();
	struct key key;

	/* Both fields are set, but not the byte between them. */
	key.kind = skb->pkt_type;
	key.protocol = skb->protocol;
	bpf_map_update_elem(&last, &key, &now, BPF_ANY);
	return TC_ACT_OK;
}
