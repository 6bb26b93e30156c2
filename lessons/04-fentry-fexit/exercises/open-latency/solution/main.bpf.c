// SPDX-License-Identifier: MIT OR GPL-2.0-only
// How long it takes to open a file: a histogram for each result of
// do_sys_openat2(dirfd, name, how).
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The process. It is set before the program is loaded. */
const volatile __u32 PID = 0;

/* When a call began, in nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} STARTS SEC(".maps");

struct row {
	__s32 result; // 0, or a negative error number
	__u32 row; // of calls that took from 2^row nanoseconds to less than twice that
};

/* How many calls. Each CPU has its own numbers, so two of them never write to the same place. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct row);
	__type(value, __u64);
} HISTOGRAM SEC(".maps");

static bool is_wanted(void)
{
	return bpf_get_current_pid_tgid() >> 32 == PID;
}

static void count(const struct row *row)
{
	__u64 one = 1, *calls = bpf_map_lookup_elem(&HISTOGRAM, row);

	if (calls)
		*calls += 1;
	else
		bpf_map_update_elem(&HISTOGRAM, row, &one, BPF_ANY);
}

SEC("fentry/do_sys_openat2")
int open_enter(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), start = bpf_ktime_get_ns();

	if (is_wanted())
		bpf_map_update_elem(&STARTS, &thread, &start, BPF_ANY);
	return 0;
}

SEC("fexit/do_sys_openat2")
int BPF_PROG(open_exit, int dirfd, const char *name, struct open_how *how, int result)
{
	__u64 thread = bpf_get_current_pid_tgid(), *start, took;
	struct row row = { .result = result < 0 ? result : 0 };

	if (!is_wanted())
		return 0;
	start = bpf_map_lookup_elem(&STARTS, &thread);
	if (!start)
		return 0; // it began before the programs were attached
	took = bpf_ktime_get_ns() - *start;
	bpf_map_delete_elem(&STARTS, &thread);
	row.row = 63 - __builtin_clzll(took | 1);
	count(&row);
	return 0;
}
