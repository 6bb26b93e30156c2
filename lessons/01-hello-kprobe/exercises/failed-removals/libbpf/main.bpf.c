// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the removals of files that fail, for each process.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* A process, and how many of its removals failed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} FAILED SEC(".maps");

static void count(__u32 pid)
{
	__u64 none = 0, *count;

	/* A process may have threads on several CPUs. BPF_NOEXIST lets one of them insert the
	 * entry, and all find it afterwards. */
	bpf_map_update_elem(&FAILED, &pid, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&FAILED, &pid);
	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("kretprobe")
int BPF_KRETPROBE(removed)
{
	/* TODO: go on only if the function returned an error. */
	count(bpf_get_current_pid_tgid() >> 32);
	return 0;
}
