// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the samples of each program: those in its own code, and those in the kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct program {
	char comm[16];
};

/* Samples in user space, and in the kernel. */
struct time {
	__u64 user;
	__u64 kernel;
};

/* By the name of a program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct program);
	__type(value, struct time);
} TIME SEC(".maps");

static void count(int is_kernel)
{
	struct time zero = {}, *time;
	/* All of it is the key, and the helper need not write what comes after the name. */
	struct program program = {};

	bpf_get_current_comm(program.comm, sizeof(program.comm));
	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&TIME, &program, &zero, BPF_NOEXIST);
	time = bpf_map_lookup_elem(&TIME, &program);
	if (!time)
		return;
	if (is_kernel)
		__sync_fetch_and_add(&time->kernel, 1);
	else
		__sync_fetch_and_add(&time->user, 1);
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	/* TODO: leave out the idle task. And was the CPU in the kernel? */
	count(0);
	return 0;
}
