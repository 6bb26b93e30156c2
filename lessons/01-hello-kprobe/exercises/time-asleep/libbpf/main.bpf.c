// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Measures how long each thread is asleep.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Who is asleep, and since when, in nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} START SEC(".maps");

/* A thread, and all the nanoseconds that it has slept. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} SLEPT SEC(".maps");

/* Under which number a sleep is remembered until it is over. */
static __u32 sleeper(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static void add(__u32 thread, __u64 time)
{
	__u64 *sum = bpf_map_lookup_elem(&SLEPT, &thread);

	if (sum)
		*sum += time;
	else
		bpf_map_update_elem(&SLEPT, &thread, &time, BPF_ANY);
}

SEC("kprobe")
int BPF_KPROBE(fall_asleep)
{
	__u32 id = sleeper();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&START, &id, &now, BPF_ANY);
	return 0;
}

SEC("kretprobe")
int BPF_KRETPROBE(wake_up)
{
	__u32 id = sleeper();
	__u64 now = bpf_ktime_get_ns();
	__u64 *start = bpf_map_lookup_elem(&START, &id);

	if (start) {
		add(bpf_get_current_pid_tgid(), now - *start);
		bpf_map_delete_elem(&START, &id);
	}
	return 0;
}
