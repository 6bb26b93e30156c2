// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports each directory that is made, in a ring buffer that is soon full.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* A record is the id of a thread, in 8 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} RECORDS SEC(".maps");

/* How many records had no room, since the program was loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} LOST SEC(".maps");

SEC("kprobe")
int on_mkdir(struct pt_regs *ctx)
{
	__u64 thread = (__u32)bpf_get_current_pid_tgid(), *lost;
	__u32 first = 0;

	if (bpf_ringbuf_output(&RECORDS, &thread, sizeof(thread), 0)) {
		lost = bpf_map_lookup_elem(&LOST, &first);
		if (lost)
			__sync_fetch_and_add(lost, 1);
	}
	return 0;
}
