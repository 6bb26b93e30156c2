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

	if (bpf_get_current_comm(comm, sizeof(comm)))
		return 0;
	/* TODO: count this execution in COUNTS, under `comm`. Other CPUs do so, too. */
	return 0;
}
