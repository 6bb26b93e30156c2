// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __noinline u32 sum(u32 *cb)
{
	u32 sum = 0;

	for (u32 index = 0; index < 5; index++)
		sum += cb[index];
	return sum;
}

SEC("tc")
int ctx_modified(struct __sk_buff *skb)
{
	/* This is an address inside the context, and no longer the context. */
	return sum(skb->cb) ? 2 : 0;
}
