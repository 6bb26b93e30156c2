// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports who executes what. Three programs watch the same event, and send what they see through
// one ring buffer: tracepoint.bpf.h, raw.bpf.h and btf.bpf.h.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "event.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// How many events found the ring buffer full. The programs in Rust count an event here as well when
// a read fails; these send it, with zeros in place of what could not be read.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

// ANCHOR: send
static void count_lost(void)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&lost, &first);

	if (count)
		*count += 1;
}

// Reserves room for an event in the ring buffer; if it is full, counts the event as lost.
static __always_inline struct event *reserve(enum way way)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count_lost();
		return 0;
	}
	event->time = bpf_ktime_get_ns();
	event->way = way;
	return event;
}
// ANCHOR_END: send

#include "tracepoint.bpf.h"
#include "raw.bpf.h"
#include "btf.bpf.h"
