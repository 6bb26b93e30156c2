// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct note {
	u32 length;
	char text[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct note);
} notes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sent SEC(".maps");

SEC("kprobe/do_nanosleep")
int helper_size_unbounded(struct pt_regs *ctx)
{
	u32 key = 0;
	struct note *note = bpf_map_lookup_elem(&notes, &key);

	if (!note)
		return 0;
	/* The length comes from the map, where anyone may have written any number. */
	bpf_ringbuf_output(&sent, note->text, note->length, 0);
	return 0;
}
