// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Limits how many packets each source address may send in a span of time.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800

/* User space may change it at any time. */
struct limit {
	__u64 packets;
	/* The length of a window, in nanoseconds. */
	__u64 window;
};

struct source {
	/* When its window began. */
	__u64 since;
	/* In this window. */
	__u64 passed;
	/* Ever. */
	__u64 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct limit);
} LIMIT SEC(".maps");

/* When it is full, the source that was silent for longest is removed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct source);
} SOURCES SEC(".maps");

SEC("xdp")
int limit_rate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct source first = { .since = bpf_ktime_get_ns() }, *source;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct limit *limit;
	__u32 zero = 0;
	__be32 address;

	if (data + sizeof(*ethernet) + sizeof(*ip) > end ||
	    ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	address = ip->saddr;
	/* Frames arrive on several CPUs: one inserts the entry, and all find it after that. */
	bpf_map_update_elem(&SOURCES, &address, &first, BPF_NOEXIST);
	limit = bpf_map_lookup_elem(&LIMIT, &zero);
	source = bpf_map_lookup_elem(&SOURCES, &address);
	if (!limit || !source)
		return XDP_PASS;
	/* What other CPUs do meanwhile may let a few more packets pass; no count is lost. */
	/* Another CPU may have begun the window after this clock was read: a difference would be
	 * huge. */
	if (first.since >= source->since + limit->window) {
		source->since = first.since;
		source->passed = 0;
	}
	if (source->passed >= limit->packets) {
		__sync_fetch_and_add(&source->dropped, 1);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&source->passed, 1);
	return XDP_PASS;
}
