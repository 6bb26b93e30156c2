// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define PACKET_HOST 0

SEC("tc")
int ctx_access(struct __sk_buff *skb)
{
	/* The frame should count as one for this host. */
	bpf_skb_change_type(skb, PACKET_HOST);
	return TC_ACT_OK;
}
