// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

__noinline int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

__noinline int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int unknown_opcode(struct xdp_md *ctx)
{
	return ctx->rx_queue_index & 1 ? drop(ctx) : pass(ctx);
}
