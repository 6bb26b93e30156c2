// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __noinline u32 highest(struct __sk_buff *skb)
{
	u8 name[255];
	u32 highest = 0;

	if (bpf_skb_load_bytes(skb, 54, name, sizeof(name)) < 0)
		return 0;
	for (u32 at = 0; at < sizeof(name); at++)
		if (name[at] > highest)
			highest = name[at];
	return highest;
}

SEC("tc")
int stack_limit(struct __sk_buff *skb)
{
	u8 header[300];

	if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)) < 0)
		return 0;
	/* Each function needs far less than 512 bytes, but both are on the stack at once. */
	return highest(skb) > header[20] ? 2 : 0;
}
