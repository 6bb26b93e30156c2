// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct hrtimer_sleeper;

struct recent {
	u64 next;
	u8 modes[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct recent);
} sleeps SEC(".maps");

SEC("kprobe/do_nanosleep")
int BPF_KPROBE(ptr_arith_unbounded, struct hrtimer_sleeper *sleeper, u8 mode)
{
	u32 key = 0;
	struct recent *recent = bpf_map_lookup_elem(&sleeps, &key);

	if (!recent)
		return 0;
	u64 next = recent->next;

	if (next >= 64)
		next = 0;
	recent->modes[next] = mode;
	recent->next = next + 1;
	return 0;
}
