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

/* Neither is `static`: the table needs their symbols. */
static int (*const actions[])(struct xdp_md *) = { pass, drop };

SEC("xdp")
int unknown_opcode(struct xdp_md *ctx)
{
	/* Only at run time is it known which function this is. */
	int (*action)(struct xdp_md *) = actions[ctx->rx_queue_index & 1];

	return action(ctx);
}
