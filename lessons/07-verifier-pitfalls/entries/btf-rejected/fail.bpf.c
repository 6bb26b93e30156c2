// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct limits {
	/* "Queues" in Korean: clang accepts such a name, and the kernel's BTF does not. */
	u32 대기열;
};

const volatile struct limits limits = { .대기열 = 3 };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next SEC(".maps");

static __noinline int go_on(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &next, 0);
	return XDP_PASS;
}

SEC("xdp")
int btf_rejected(struct xdp_md *ctx)
{
	return ctx->rx_queue_index < limits.대기열 ? go_on(ctx) : XDP_DROP;
}
