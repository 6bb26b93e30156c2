// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __noinline u32 sum(struct __sk_buff *skb)
{
	u32 sum = 0;

	for (u32 index = 0; index < 5; index++)
		sum += skb->cb[index];
	return sum;
}

SEC("tc")
int ctx_modified(struct __sk_buff *skb)
{
	return sum(skb) ? 2 : 0;
}
