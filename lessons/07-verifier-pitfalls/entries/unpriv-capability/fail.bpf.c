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
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;

	/* This reads nothing from the packet, but the answer says something about two addresses. */
	if (data + ETHERNET == data_end)
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
