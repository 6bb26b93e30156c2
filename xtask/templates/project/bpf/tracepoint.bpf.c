// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the files that each process opens, with a tracepoint.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* The kernel gives many helpers only to programs that are compatible with the GPL. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* From a process to a number for each CPU: no two CPUs ever change the same one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_openat")
int count(void *ctx)
{
	/* The upper half is what user space calls the process id. */
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 first = 1, *number = bpf_map_lookup_elem(&counts, &pid);

	if (number)
		*number += 1;
	else /* Fails if the map is full: that process is not counted. */
		bpf_map_update_elem(&counts, &pid, &first, BPF_ANY);
	return 0;
}
