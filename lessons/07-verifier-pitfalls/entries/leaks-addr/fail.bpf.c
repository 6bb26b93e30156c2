// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0

struct last {
	u64 time;
	u64 packet;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct last);
} last_of_cpu SEC(".maps");

SEC("tc")
int leaks_addr(struct __sk_buff *skb)
{
	u32 key = 0;
	struct last *last = bpf_map_lookup_elem(&last_of_cpu, &key);

	if (!last)
		return TC_ACT_OK;
	last->time = bpf_ktime_get_ns();
	/* The address tells packets apart. It also reveals where the kernel's memory is. */
	last->packet = (u64)skb;
	return TC_ACT_OK;
}
