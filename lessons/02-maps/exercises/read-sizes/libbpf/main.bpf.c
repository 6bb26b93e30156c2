// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Adds up, for each thread, how many bytes its reads ask for, and how many they get.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct reads {
	__u64 asked;
	__u64 got;
};

/* By the id of the thread. Each CPU adds to its own value, and user space sums them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct reads);
} READS SEC(".maps");

/* What a read that has begun asks for. Each CPU has its own, so that no other CPU overwrites it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ASKED SEC(".maps");

static void add(__u64 asked, __u64 got)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct reads new = { asked, got };
	struct reads *reads = bpf_map_lookup_elem(&READS, &thread);

	if (reads) {
		reads->asked += asked;
		reads->got += got;
	} else {
		bpf_map_update_elem(&READS, &thread, &new, BPF_ANY);
	}
}

SEC("tracepoint/syscalls/sys_enter_read")
int on_read(struct syscall_enter *ctx)
{
	__u32 first = 0;
	__u64 *asked = bpf_map_lookup_elem(&ASKED, &first);

	if (asked)
		*asked = ctx->args[2];
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_read")
int on_return(struct syscall_exit *ctx)
{
	__u32 first = 0;
	__u64 *asked = bpf_map_lookup_elem(&ASKED, &first);

	if (asked && ctx->result >= 0)
		add(*asked, ctx->result);
	return 0;
}
