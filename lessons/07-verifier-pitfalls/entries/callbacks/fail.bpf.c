// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static long add(u32 index, u64 *sum)
{
	*sum += index;
	/* `bpf_loop` does not want the sum: it asks whether to stop, 0 or 1. */
	return *sum;
}

SEC("kprobe/do_nanosleep")
int callbacks(struct pt_regs *ctx)
{
	u64 sum = 0;

	bpf_loop(10, add, &sum, 0);
	return sum == 45;
}
