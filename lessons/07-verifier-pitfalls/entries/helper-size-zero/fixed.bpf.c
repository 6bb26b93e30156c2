// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define ETHERNET 14 /* length of the header */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} heads SEC(".maps");

SEC("tc")
int helper_size_zero(struct __sk_buff *skb)
{
	u8 head[64] = {};
	u32 length = skb->len;

	if (length < ETHERNET)
		return TC_ACT_OK;
	if (length > sizeof(head))
		length = sizeof(head);
	if (bpf_skb_load_bytes(skb, 0, head, length) == 0)
		bpf_ringbuf_output(&heads, head, sizeof(head), 0);
	return TC_ACT_OK;
}
