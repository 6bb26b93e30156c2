// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the files that are removed.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* One number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} REMOVED SEC(".maps");

SEC("kprobe")
int on_remove(struct pt_regs *ctx)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&REMOVED, &first);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
