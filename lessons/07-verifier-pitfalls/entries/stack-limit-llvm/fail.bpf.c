// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct event {
	u64 id;
	char path[592];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("kprobe/do_nanosleep")
int stack_limit_llvm(struct pt_regs *ctx)
{
	u32 key = 0;
	struct event *found = bpf_map_lookup_elem(&events, &key);

	if (!found)
		return 0;
	/* A copy of 600 bytes, and the whole stack has 512. */
	struct event event = *found;

	event.id = bpf_get_current_pid_tgid();
	bpf_ringbuf_output(&ring, &event, sizeof(event), 0);
	return 0;
}
