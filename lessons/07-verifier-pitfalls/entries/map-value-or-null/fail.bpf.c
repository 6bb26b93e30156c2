// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

SEC("kprobe/do_nanosleep")
int map_value_or_null(struct pt_regs *ctx)
{
	u32 key = 0;
	u64 *counter = bpf_map_lookup_elem(&counters, &key);

	/* The lookup may have found nothing: then `counter` is null. */
	*counter += 1;
	return 0;
}
