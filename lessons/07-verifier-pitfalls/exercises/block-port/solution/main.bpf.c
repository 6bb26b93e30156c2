// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Drops UDP datagrams to blocked ports, and counts them.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800
#define IPPROTO_UDP 17

/* A blocked port, and how many datagrams to it were dropped. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u64);
} BLOCKED SEC(".maps");

SEC("xdp")
int block(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct udphdr *udp;
	__u64 *dropped;
	__u16 port;

	if (data + sizeof(*ethernet) + sizeof(*ip) > end)
		return XDP_PASS;
	if (ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP || ip->ihl < 5)
		return XDP_PASS;
	/* Only the first fragment of a datagram has the ports. */
	if (ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	/* With options, the header is longer than struct iphdr. */
	udp = (void *)ip + ip->ihl * 4;
	if ((void *)udp + sizeof(*udp) > end)
		return XDP_PASS;
	port = bpf_ntohs(udp->dest);
	dropped = bpf_map_lookup_elem(&BLOCKED, &port);
	if (!dropped)
		return XDP_PASS;
	/* Other CPUs may add to it too. */
	__sync_fetch_and_add(dropped, 1);
	return XDP_DROP;
}
