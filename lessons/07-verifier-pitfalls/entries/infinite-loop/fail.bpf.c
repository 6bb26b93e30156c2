// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct settings {
	volatile u32 changing; /* set from user space, while it writes the others */
	u32 verdict;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct settings);
} current SEC(".maps");

SEC("xdp")
int infinite_loop(struct xdp_md *ctx)
{
	u32 key = 0;
	struct settings *settings = bpf_map_lookup_elem(&current, &key);

	if (!settings)
		return XDP_PASS;
	/* Whoever set it clears it again, but the verifier cannot rely on that. */
	while (settings->changing)
		;
	return settings->verdict;
}
