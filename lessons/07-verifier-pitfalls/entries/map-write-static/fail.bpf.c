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
int map_write_static(struct pt_regs *ctx)
{
	/* `total` is the map itself, the kernel's own record of it, and not the number in it. */
	*(volatile u64 *)&total = 0;
	return 0;
}
