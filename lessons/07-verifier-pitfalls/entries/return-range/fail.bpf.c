// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define TC_ACT_SHOT 2

SEC("cgroup_skb/ingress")
int return_range(struct __sk_buff *skb)
{
	/* The return values of a tc program. Here 0 means drop, and 1 means pass. */
	return skb->len > 1500 ? TC_ACT_SHOT : TC_ACT_OK;
}
