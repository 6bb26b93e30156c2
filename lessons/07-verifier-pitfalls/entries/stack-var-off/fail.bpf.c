// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define TC_ACT_SHOT 2
#define ETHERNET 14
#define IPV4 20
#define TCP 20
#define FLAGS 13 /* their place in the header of TCP */
#define SYN 2

SEC("tc")
int stack_var_off(struct __sk_buff *skb)
{
	u8 header[ETHERNET + IPV4 + TCP];
	u32 at;

	if (bpf_skb_load_bytes(skb, 0, header, sizeof(header)) < 0)
		return TC_ACT_OK;
	at = ETHERNET + (header[ETHERNET] & 15) * 4 + FLAGS;
	/* The IPv4 header has 20 bytes without options, and up to 60 with them. */
	return header[at] & SYN ? TC_ACT_SHOT : TC_ACT_OK;
}
