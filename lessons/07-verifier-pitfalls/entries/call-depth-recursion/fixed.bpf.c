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

/* From the leaf up, with a loop that ends. */
static __noinline u32 path_hash(u32 at)
{
	u32 hash = 0, power = 1;

	for (int depth = 0; at && depth < 16; depth++) {
		struct directory *directory = bpf_map_lookup_elem(&directories, &at);

		if (!directory)
			break;
		hash += directory->name * power;
		power *= 31;
		at = directory->parent;
	}
	return hash;
}

SEC("kprobe/do_nanosleep")
int call_depth_recursion(struct pt_regs *ctx)
{
	return path_hash(1);
}
