// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0

SEC("tc")
int complexity_jumps(struct __sk_buff *skb)
{
	u8 *byte = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;
	u32 lines = 0;

	/* Nothing says how long a packet may be. */
	for (; byte + 1 <= end; byte++)
		if (*byte == '\n')
			lines++;
	skb->mark = lines;
	return TC_ACT_OK;
}
