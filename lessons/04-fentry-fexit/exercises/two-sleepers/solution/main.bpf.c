// SPDX-License-Identifier: MIT OR GPL-2.0-only
// How long each thread has slept: all its calls of do_nanosleep(timer, mode) together.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* When the sleep began, in nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} STARTS SEC(".maps");

/* By thread: nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} SLEPT SEC(".maps");

SEC("fentry/do_nanosleep")
int sleep_enter(void *ctx)
{
	__u32 sleeper = bpf_get_current_pid_tgid();
	__u64 start = bpf_ktime_get_ns();

	bpf_map_update_elem(&STARTS, &sleeper, &start, BPF_ANY);
	return 0;
}

SEC("fexit/do_nanosleep")
int sleep_exit(void *ctx)
{
	__u32 sleeper = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&STARTS, &sleeper), *slept, took;

	if (!start)
		return 0; // it fell asleep before the programs were attached
	took = bpf_ktime_get_ns() - *start;
	bpf_map_delete_elem(&STARTS, &sleeper);

	__u32 thread = bpf_get_current_pid_tgid();
	slept = bpf_map_lookup_elem(&SLEPT, &thread);
	if (slept)
		*slept += took;
	else
		bpf_map_update_elem(&SLEPT, &thread, &took, BPF_ANY);
	return 0;
}
