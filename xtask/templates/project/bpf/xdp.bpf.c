// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the packets that arrive at a network interface, by their protocol, with XDP.
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

static void count(__u32 protocol)
{
	__u64 first = 1, *number = bpf_map_lookup_elem(&counts, &protocol);

	if (number)
		*number += 1;
	else /* Fails if the map is full: that protocol is not counted. */
		bpf_map_update_elem(&counts, &protocol, &first, BPF_ANY);
}

/* Where IPv4 has the number of the next protocol: after 14 bytes of Ethernet. */
#define PROTOCOL (14 + 9)

SEC("xdp")
int count_packet(struct xdp_md *ctx)
{
	__u8 *protocol = (__u8 *)(long)ctx->data + PROTOCOL;

	/* The verifier asks for this comparison before each access to the packet. */
	if (protocol + 1 <= (__u8 *)(long)ctx->data_end)
		count(*protocol);
	/* Pass it on. XDP_DROP would drop it. */
	return XDP_PASS;
}
