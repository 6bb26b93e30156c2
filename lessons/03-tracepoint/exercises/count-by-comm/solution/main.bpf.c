// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts how often each program is executed, by its name.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The name of a program, and how often it was executed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, char[16]);
	__type(value, __u64);
} COUNTS SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int count_exec(void *ctx)
{
	char comm[16] = {};
	__u64 none = 0, *count;

	if (bpf_get_current_comm(comm, sizeof(comm)))
		return 0;
	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&COUNTS, comm, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&COUNTS, comm);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
