// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Captures frames: their length, their first bytes, and a sum of their last bytes.
// TODO: the verifier rejects this program. It does the right thing; make it load.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
/* Bytes at either end of a frame. */
#define PART 256

struct captured {
	__u32 length;
	__u32 sum;
	__u8 start[PART];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} CAPTURED SEC(".maps");

static __noinline __u32 sum_of_end(struct __sk_buff *skb)
{
	__u8 end[PART];
	__u32 sum = 0;

	if (bpf_skb_load_bytes(skb, skb->len - PART, end, sizeof(end)))
		return 0;
	for (int i = 0; i < PART; i++)
		sum = sum * 31 + end[i];
	return sum;
}

SEC("classifier")
int capture(struct __sk_buff *skb)
{
	struct captured captured;

	/* This fails for a frame that is shorter. */
	if (bpf_skb_load_bytes(skb, 0, captured.start, sizeof(captured.start)))
		return TC_ACT_OK;
	captured.length = skb->len;
	captured.sum = sum_of_end(skb);
	bpf_ringbuf_output(&CAPTURED, &captured, sizeof(captured), 0);
	return TC_ACT_OK;
}
