// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts samples, on each CPU.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* One number for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} SAMPLES SEC(".maps");

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&SAMPLES, &first);

	if (count)
		*count += 1;
	return 0;
}
