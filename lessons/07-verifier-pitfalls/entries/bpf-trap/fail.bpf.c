// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} total SEC(".maps");

SEC("kprobe/do_nanosleep")
int bpf_trap(struct pt_regs *ctx)
{
	/* The lookup is missing. */
	u64 *value = (void *)0;

	*value += 1;
	return 0;
}
