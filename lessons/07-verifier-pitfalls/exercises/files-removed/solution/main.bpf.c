// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the files that each thread removes.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The id of a thread, and how many files it has removed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} REMOVED SEC(".maps");

SEC("kprobe/vfs_unlink")
int count_removals(void *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 none = 0, *count;

	/* A new thread starts with 0. */
	bpf_map_update_elem(&REMOVED, &thread, &none, BPF_NOEXIST);
	/* There is no entry if the map is full. */
	count = bpf_map_lookup_elem(&REMOVED, &thread);
	if (count)
		*count += 1;
	return 0;
}
