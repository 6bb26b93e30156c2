// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} packets SEC(".maps");

SEC("xdp")
int atomics_reserved(struct xdp_md *ctx)
{
	u32 key = 0;
	u64 *counter = bpf_map_lookup_elem(&packets, &key);
	u64 old = 1;

	if (!counter)
		return XDP_PASS;
	/* What `__sync_fetch_and_add` becomes with `-mcpu=v3`, which is clang's default. */
	asm volatile("%0 = atomic_fetch_add((u64 *)(%1 + 0), %0)"
		     : "+r"(old)
		     : "r"(counter)
		     : "memory");
	return old < 1000 ? XDP_PASS : XDP_DROP;
}
