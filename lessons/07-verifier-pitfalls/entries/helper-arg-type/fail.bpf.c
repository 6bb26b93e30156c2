// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct hrtimer_sleeper;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64);
} started SEC(".maps");

SEC("kprobe/do_nanosleep")
int BPF_KPROBE(helper_arg_type, struct hrtimer_sleeper *sleeper)
{
	u64 now = bpf_ktime_get_ns();

	/* The helper wants a pointer to the key. This address is the key itself. */
	bpf_map_update_elem(&started, sleeper, &now, BPF_ANY);
	return 0;
}
