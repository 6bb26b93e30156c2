// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* `naked`: the function is this assembly and nothing else. */
SEC("xdp")
int __attribute__((naked)) unreachable_insn(struct xdp_md *ctx)
{
	asm volatile("r0 = 2;"
		     /* Added while debugging, and forgotten: nothing reaches the rest. */
		     "exit;"
		     "r1 = *(u32 *)(r1 + 16);"
		     "if r1 == 0 goto +1;"
		     "r0 = 1;"
		     "exit;");
}
