// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A socket filter that counts, with one program for each protocol.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "transport.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// Where in counters.
enum { CONNECTIONS, DATAGRAMS, PINGS };

// What the filter's own socket receives of the packet: nothing. The packet goes on all the same.
#define NOTHING 0

// ANCHOR: dispatch
// For each number of a protocol in an IP header a program, or none.
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} protocols SEC(".maps");

// A tail call passes nothing on but the context. Five words in it, cb, are for programs to use.
SEC("socket")
int dispatch(struct __sk_buff *ctx)
{
	__u32 transport;
	__u8 protocol;

	if (!find_transport(ctx, &protocol, &transport))
		return NOTHING;
	ctx->cb[0] = transport;
	bpf_tail_call(ctx, &protocols, protocol);
	return NOTHING; // there is no program for this protocol
}
// ANCHOR_END: dispatch

// ANCHOR: count
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		(*counter)++;
}

SEC("socket")
int count_tcp(struct __sk_buff *ctx)
{
	__u8 flags;

	if (!bpf_skb_load_bytes(ctx, ctx->cb[0] + 13, &flags, sizeof(flags)) &&
	    (flags & (TCPHDR_SYN | TCPHDR_ACK)) == TCPHDR_SYN)
		count(CONNECTIONS);
	return NOTHING;
}

SEC("socket")
int count_udp(struct __sk_buff *ctx)
{
	count(DATAGRAMS);
	return NOTHING;
}

SEC("socket")
int count_icmp(struct __sk_buff *ctx)
{
	__u8 type;

	if (!bpf_skb_load_bytes(ctx, ctx->cb[0], &type, sizeof(type)) && type == ICMP_ECHO)
		count(PINGS);
	return NOTHING;
}
// ANCHOR_END: count
