// SPDX-License-Identifier: MIT OR GPL-2.0-only
// How much a process asks vfs_read(file, buffer, size, position) for, and how much it gets.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The process. It is set before the program is loaded. */
const volatile __u32 PID = 0;

enum total { CALLS, ASKED, GOT, FAILED, COUNT };

/* Each CPU has its own totals, so two of them never write to the same place. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT);
	__type(key, __u32);
	__type(value, __u64);
} TOTALS SEC(".maps");

static void add(__u32 total, __u64 amount)
{
	__u64 *sum = bpf_map_lookup_elem(&TOTALS, &total);

	if (sum)
		*sum += amount;
}

SEC("fexit/vfs_read")
int BPF_PROG(read_exit, struct file *file, char *buffer, __u64 size, __s64 *position, __s64 result)
{
	if (bpf_get_current_pid_tgid() >> 32 != PID)
		return 0;
	add(CALLS, 1);
	/* TODO: add up the bytes that were asked for, in ASKED. */
	/* TODO: the result is a number of bytes, or a negative error. Add the bytes up in GOT;
	 * count errors in FAILED. */
	return 0;
}
