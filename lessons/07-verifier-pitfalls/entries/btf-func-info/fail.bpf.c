// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __noinline __attribute__((nodebug)) int port_class(u32 port)
{
	return port < 1024 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int btf_func_info(struct xdp_md *ctx)
{
	return port_class(ctx->rx_queue_index);
}
