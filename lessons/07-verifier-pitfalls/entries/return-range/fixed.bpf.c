// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define DROP 0
#define PASS 1

SEC("cgroup_skb/ingress")
int return_range(struct __sk_buff *skb)
{
	return skb->len > 1500 ? DROP : PASS;
}
