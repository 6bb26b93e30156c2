// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the packets that leave through a network interface, by their protocol, with tc.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* The kernel gives many helpers only to programs that are compatible with the GPL. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* From a protocol (1 ICMP, 6 TCP, 17 UDP) to a number for each CPU: no two CPUs ever change the
 * same one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/* The first half of an IPv4 header: the version is in its first byte, the protocol in its last. */
static void count(const __u8 header[10])
{
	__u32 protocol = header[9];
	__u64 first = 1, *number;

	if (header[0] >> 4 != 4)
		return;
	number = bpf_map_lookup_elem(&counts, &protocol);
	if (number)
		*number += 1;
	else /* Fails if the map is full: that protocol is not counted. */
		bpf_map_update_elem(&counts, &protocol, &first, BPF_ANY);
}

/* Where the IP header begins: after 14 bytes of Ethernet. */
#define IP 14

SEC("tc")
int count_packet(struct __sk_buff *skb)
{
	__u8 header[10];

	/* Fails if the packet is shorter. */
	if (bpf_skb_load_bytes(skb, IP, header, sizeof(header)) == 0)
		count(header);
	/* Send it. TC_ACT_SHOT would drop it. */
	return TC_ACT_OK;
}
