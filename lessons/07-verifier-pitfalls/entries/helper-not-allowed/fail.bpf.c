// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int helper_not_allowed(struct xdp_md *ctx)
{
	u8 kind[2];

	/* This helper is for programs that get an skb. At this hook there is none yet. */
	if (bpf_skb_load_bytes(ctx, 12, kind, sizeof(kind)) < 0)
		return XDP_PASS;
	return kind[0] == 0x86 && kind[1] == 0xdd ? XDP_DROP : XDP_PASS; /* IPv6 */
}
