// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the processes that ended, by the name of their program.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The name of a program, and how many of its processes ended. Each CPU adds to its own value. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, char[16]);
	__type(value, __u64);
} EXITS SEC(".maps");

SEC("tracepoint/sched/sched_process_exit")
int count_exit(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 process = id >> 32, thread = id;
	__u64 one = 1, *count;
	/* Linux 6.1 writes no zeros after a short name, and they are a part of the key. */
	char comm[16] = {};

	/* Every thread comes here. The first one of a process has the process's id. */
	if (thread != process)
		return 0;
	if (bpf_get_current_comm(comm, sizeof(comm)))
		return 0;
	count = bpf_map_lookup_elem(&EXITS, comm);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&EXITS, comm, &one, BPF_ANY);
	return 0;
}
