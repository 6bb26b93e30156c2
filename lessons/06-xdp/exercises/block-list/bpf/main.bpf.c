// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Drops the UDP datagrams over IPv4 to the ports in a map.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800
#define IPPROTO_UDP 17

/* The headers up to the port, one after the other, if the one of IPv4 has no options. */
struct headers {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

/* The ports, as numbers of this machine. The values mean nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __u8);
} BLOCKED SEC(".maps");

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct headers *headers = data;
	__u16 port;

	if ((void *)(headers + 1) > end)
		return XDP_PASS;
	if (headers->ethernet.h_proto != bpf_htons(ETH_P_IP) || headers->ip.version != 4 ||
	    headers->ip.ihl != 5 || headers->ip.protocol != IPPROTO_UDP)
		return XDP_PASS;
	port = bpf_ntohs(headers->udp.dest);
	return bpf_map_lookup_elem(&BLOCKED, &port) ? XDP_DROP : XDP_PASS;
}
