// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the programs that one user executes.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The user. It is set before the program is loaded. */
const volatile __u32 WATCHED = 0;

/* One number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} EXECUTED SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *ctx)
{
	__u32 first = 0;
	__u64 *count;

	if ((__u32)bpf_get_current_uid_gid() != WATCHED)
		return 0;
	count = bpf_map_lookup_elem(&EXECUTED, &first);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
