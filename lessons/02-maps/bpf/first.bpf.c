// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the files that each process creates, in one map.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} created SEC(".maps");

SEC("kprobe")
int count_create(struct pt_regs *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 zero = 0, *count;

	// Fails if the process has an entry, which is fine, and if the map is full.
	bpf_map_update_elem(&created, &pid, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&created, &pid);
	if (count)
		// Another CPU may add to the same one at this moment.
		__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	return 0;
}
