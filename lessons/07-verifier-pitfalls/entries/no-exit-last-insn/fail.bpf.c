// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* `naked`: the compiler adds nothing to the assembly, not even the return. */
SEC("xdp")
int __attribute__((naked)) no_exit_last_insn(struct xdp_md *ctx)
{
	/* The result is in r0, but nothing returns it. */
	asm volatile("r0 = 2");
}
