// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* `naked`: the function is this assembly and nothing else. */
static __noinline __attribute__((naked)) int limit(struct xdp_md *ctx)
{
	asm volatile("r0 = 1;"
		     "r1 = *(u32 *)(r1 + 16);"
		     /* Counted in instructions from the next one, and one too many. */
		     "if r1 > 3 goto +2;"
		     "r0 = 2;"
		     "exit;");
}

SEC("xdp")
int jump_out_of_range(struct xdp_md *ctx)
{
	return limit(ctx);
}
