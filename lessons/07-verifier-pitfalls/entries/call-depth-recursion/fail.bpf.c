// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct directory {
	u32 parent;
	u32 name;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, struct directory);
} directories SEC(".maps");

/* From the root down: parents come first, and how many there are is known only at run time. */
static __noinline u32 path_hash(u32 at)
{
	struct directory *directory = bpf_map_lookup_elem(&directories, &at);

	if (!at || !directory)
		return 0;
	return path_hash(directory->parent) * 31 + directory->name;
}

SEC("kprobe/do_nanosleep")
int call_depth_recursion(struct pt_regs *ctx)
{
	return path_hash(1);
}
