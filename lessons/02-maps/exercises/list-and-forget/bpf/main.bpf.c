// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the directories that each thread makes.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* A thread's id, and how many directories it made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} MADE SEC(".maps");

SEC("kprobe")
int on_mkdir(struct pt_regs *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 none = 0, *count;

	/* Fails if the thread has an entry, which is fine. */
	bpf_map_update_elem(&MADE, &thread, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&MADE, &thread);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
