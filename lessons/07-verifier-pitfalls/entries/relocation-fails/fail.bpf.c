// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* It is in a library, and no library is linked to the program. */
extern u32 checksum(u32 value);

SEC("xdp")
int relocation_fails(struct xdp_md *ctx)
{
	return checksum(ctx->rx_queue_index) ? XDP_PASS : XDP_DROP;
}
