// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts frames. common/counter.rs has the same in Rust.

// How many verdicts there are: XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT.
#define VERDICTS 5

struct counter {
	__u64 frames;
	__u64 bytes;
};

// ANCHOR: count
// Each CPU has its own counters and never waits for another one. User space adds them up.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, (MALFORMED + 1) * VERDICTS);
	__type(key, __u32);
	__type(value, struct counter);
} frames SEC(".maps");

// bytes is the length of the frame.
static __always_inline void count_frame(enum kind kind, __u32 verdict, __u64 bytes)
{
	__u32 index = kind * VERDICTS + verdict;
	struct counter *counter = bpf_map_lookup_elem(&frames, &index);

	if (counter) {
		counter->frames++;
		counter->bytes += bytes;
	}
}
// ANCHOR_END: count
