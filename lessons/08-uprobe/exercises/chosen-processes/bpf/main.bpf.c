// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the calls of a function, by process.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* How often each process has called it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} CALLS SEC(".maps");

SEC("uprobe")
int on_call(struct pt_regs *ctx)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	__u64 zero = 0, *count;

	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&CALLS, &process, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&CALLS, &process);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
