// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETHERNET 14
#define TC_ACT_OK 0
#define TC_ACT_SHOT 2

SEC("tc")
int unpriv_capability(struct __sk_buff *skb)
{
	if (skb->len == ETHERNET)
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
