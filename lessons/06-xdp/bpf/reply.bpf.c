// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 4: answers pings in place and sends the frame back.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"
#include "counters.h"
#include "rules.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

#define swap(a, b)               \
	do {                     \
		typeof(a) c = a; \
		a = b;           \
		b = c;           \
	} while (0)

// Sets the type and corrects the checksum, which is a sum of 16-bit words, by the difference (RFC
// 1624). The type is the upper half of a word. Swapped addresses leave the sum as it is.
static __always_inline void set_type(struct icmphdr *icmp, __u8 old, __u8 new)
{
	__u32 sum = (__u16)~bpf_ntohs(icmp->checksum);

	icmp->type = new;
	sum += (__u16)~(old << 8);
	sum += new << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	icmp->checksum = bpf_htons((__u16)~sum);
}

// ANCHOR: answer
// Turns a ping into its answer. False for everything else, and for pings to a multicast address:
// with a forged sender, each of them would make many hosts answer one victim.
static __always_inline bool answer_ping(struct packet *packet)
{
	struct ethhdr *eth = packet->eth;
	struct icmphdr *icmp = packet->icmp;

	if (!eth || !icmp || icmp->code != 0 || eth->h_dest[0] & 1)
		return false;
	// The kernel answers pings with IP options: these may hold a route to be reversed.
	if (packet->ipv4 && icmp->type == ICMP_ECHO &&
	    packet->ipv4->ihl * 4 == sizeof(struct iphdr)) {
		swap(packet->ipv4->saddr, packet->ipv4->daddr);
		set_type(icmp, ICMP_ECHO, ICMP_ECHOREPLY);
	} else if (packet->ipv6 && icmp->type == ICMPV6_ECHO_REQUEST) {
		swap(packet->ipv6->saddr, packet->ipv6->daddr);
		set_type(icmp, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
	} else {
		return false;
	}
	for (int i = 0; i < 6; i++)
		swap(eth->h_source[i], eth->h_dest[i]);
	return true;
}
// ANCHOR_END: answer

SEC("xdp")
int reply(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	enum kind kind = parse_packet(data, end, &packet);
	__u32 verdict = XDP_PASS;

	if (kind == MALFORMED || is_blocked(find_source(&packet)))
		verdict = XDP_DROP;
	else if (answer_ping(&packet))
		verdict = XDP_TX;
	count_frame(kind, verdict, end - data);
	return verdict;
}
