// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the samples of each stack, and those whose stack is lost.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* As many calls as the kernel walks through by default. */
#define MAX_DEPTH 127

struct place {
	__u32 process;
	/* The key of its stack in STACKS. */
	__u32 stack;
};

/* Small, so that some stacks find no place. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MAX_DEPTH * sizeof(__u64));
} STACKS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct place);
	__type(value, __u64);
} COUNTS SEC(".maps");

/* By the error, as a positive number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} LOST SEC(".maps");

static void count(__u32 process, __u32 stack)
{
	struct place place = { .process = process, .stack = stack };
	__u64 zero = 0, *count;

	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&COUNTS, &place, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&COUNTS, &place);
	if (count)
		__sync_fetch_and_add(count, 1);
}

static void count_lost(__u32 error)
{
	__u64 zero = 0, *count;

	bpf_map_update_elem(&LOST, &error, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&LOST, &error);
	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	/* TODO: the stack in user space, not the one in the kernel. */
	long stack = bpf_get_stackid(ctx, &STACKS, 0);

	if (stack >= 0)
		count(process, stack);
	else
		/* TODO: for which reason is it lost? */
		count_lost(0);
	return 0;
}
