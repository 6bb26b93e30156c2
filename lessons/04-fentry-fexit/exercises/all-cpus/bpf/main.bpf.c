// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the directories that are made, on each CPU on its own.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* One number for each CPU. No other CPU writes to it, so no addition is lost. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} MADE SEC(".maps");

SEC("fentry/vfs_mkdir")
int on_mkdir(void *ctx)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&MADE, &first);

	if (count)
		*count += 1;
	return 0;
}
