// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Adds up the bytes of UDP datagrams over IPv4, by destination port.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_8021Q 0x8100
#define IPPROTO_UDP 17

/* A port, and the bytes of the packets for it, each with its IPv4 header. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u16);
	__type(value, __u64);
} BYTES SEC(".maps");

static __always_inline void add(__u16 port, __u64 bytes)
{
	__u64 none = 0, *sum;

	/* Frames arrive on several CPUs: one inserts the entry, and all find it after that. */
	bpf_map_update_elem(&BYTES, &port, &none, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&BYTES, &port);
	if (sum)
		__sync_fetch_and_add(sum, bytes);
}

SEC("xdp")
int add_up(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	void *next = ethernet + 1;
	struct udphdr *udp;
	struct iphdr *ip;
	__be16 proto;

	if (next > end)
		return XDP_PASS;
	proto = ethernet->h_proto;
	/* A VLAN tag may come first. */
	if (proto == ETH_P_8021Q) {
		struct vlan_hdr *tag = next;

		next = tag + 1;
		if (next > end)
			return XDP_PASS;
		proto = tag->h_vlan_encapsulated_proto;
	}
	ip = next;
	if (proto != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	udp = next + ip->ihl * 4;
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	add(bpf_ntohs(udp->dest), bpf_ntohs(ip->tot_len));
	return XDP_PASS;
}
