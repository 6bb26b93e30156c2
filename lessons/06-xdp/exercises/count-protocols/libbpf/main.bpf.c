// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts packets by the protocol that their IP header names.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

/* Packets of each protocol: 6 is TCP, 17 is UDP. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} PACKETS SEC(".maps");

/* The number of the protocol, or -1 if it is not an IP packet. */
static __always_inline int protocol_of(void *data, void *end)
{
	struct ethhdr *ethernet = data;

	if (data + sizeof(*ethernet) > end)
		return -1;
	/* TODO: if an IPv4 or an IPv6 header follows, return the protocol that it names. */
	return -1;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	int protocol = protocol_of((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	__u64 *packets;

	if (protocol < 0)
		return XDP_PASS;
	packets = bpf_map_lookup_elem(&PACKETS, &protocol);
	if (packets)
		*packets += 1;
	return XDP_PASS;
}
