// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Kernel side: a firewall that sees each frame before the kernel's network stack does, and its neighbour in tc.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "packet.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define VERDICTS 5
#define TC_ACT_OK 0
#define TC_ACT_SHOT 2

/* Whether the firewall answers pings itself. Set before loading, fixed from then on. */
const volatile __u8 answer_ping = 0;

// ANCHOR: rules
struct key_v4 {
	__u32 prefix;
	__be32 address;
};

struct key_v6 {
	__u32 prefix;
	struct in6_addr address;
};

/* A prefix of addresses, and the verdict for what comes from there. The longest prefix that fits is found. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key_v4);
	__type(value, __u32);
} rules_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key_v6);
	__type(value, __u32);
} rules_v6 SEC(".maps");
// ANCHOR_END: rules

/* A UDP port, and the interface that its datagrams leave by. A devmap is made for this, and quicker; but Linux 5.10
 * refuses aya's, which have room for a second program, in generic mode.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} redirects SEC(".maps");

struct counter {
	__u64 frames;
	__u64 bytes;
};

/* Each CPU counts for itself, so that none waits for another; user space adds up. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, (MALFORMED + 1) * VERDICTS);
	__type(key, __u32);
	__type(value, struct counter);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} egress_drops SEC(".maps");

// ANCHOR: lookup
static __always_inline __u32 *source_rule(struct packet *packet)
{
	if (packet->v4) {
		struct key_v4 key = { .prefix = 32, .address = packet->v4->saddr };

		return bpf_map_lookup_elem(&rules_v4, &key);
	}
	if (packet->v6) {
		struct key_v6 key = { .prefix = 128, .address = packet->v6->saddr };

		return bpf_map_lookup_elem(&rules_v6, &key);
	}
	return NULL;
}
// ANCHOR_END: lookup

static __always_inline __u32 *destination_rule(struct packet *packet)
{
	if (packet->v4) {
		struct key_v4 key = { .prefix = 32, .address = packet->v4->daddr };

		return bpf_map_lookup_elem(&rules_v4, &key);
	}
	if (packet->v6) {
		struct key_v6 key = { .prefix = 128, .address = packet->v6->daddr };

		return bpf_map_lookup_elem(&rules_v6, &key);
	}
	return NULL;
}

static __always_inline __u32 *redirection(struct packet *packet)
{
	__u32 port;

	if (!packet->udp)
		return NULL;
	port = bpf_ntohs(packet->udp->dest);
	return bpf_map_lookup_elem(&redirects, &port);
}

#define SWAP(a, b)             \
	({                     \
		typeof(a) c = a; \
		a = b;         \
		b = c;         \
	})

/* The checksum is a sum of 16-bit words, so that only the difference counts: here, of the word with the type in its
 * upper half. Addresses that change places leave their sum as it is.
 */
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
/* Makes the answer of a ping, in place. Not of one that goes to many: who asks could have a victim flooded. */
static __always_inline bool answer(struct packet *packet)
{
	struct ethhdr *ethernet = packet->ethernet;
	struct icmphdr *icmp = packet->icmp;

	if (!answer_ping || !ethernet || !icmp || icmp->code != 0 || ethernet->h_dest[0] & 1)
		return false;
	/* With options comes a path that would have to be turned round: that is left to the kernel. */
	if (packet->v4 && icmp->type == 8 && packet->v4->ihl * 4 == sizeof(struct iphdr)) {
		SWAP(packet->v4->saddr, packet->v4->daddr);
		set_type(icmp, 8, 0);
	} else if (packet->v6 && icmp->type == 128) {
		SWAP(packet->v6->saddr, packet->v6->daddr);
		set_type(icmp, 128, 129);
	} else {
		return false;
	}
	for (int i = 0; i < 6; i++)
		SWAP(ethernet->h_source[i], ethernet->h_dest[i]);
	return true;
}
// ANCHOR_END: answer

static __always_inline void count(enum kind kind, __u32 verdict, __u64 bytes)
{
	__u32 index = kind * VERDICTS + verdict;
	struct counter *counter = bpf_map_lookup_elem(&frames, &index);

	if (counter) {
		counter->frames++;
		counter->bytes += bytes;
	}
}

// ANCHOR: firewall
static __always_inline __u32 judge(enum kind kind, struct packet *packet)
{
	__u32 *rule = kind == MALFORMED ? NULL : source_rule(packet);
	__u32 *interface;

	if (kind == MALFORMED || (rule && *rule == XDP_DROP))
		return XDP_DROP;
	if (answer(packet))
		return XDP_TX;
	interface = redirection(packet);
	return interface ? bpf_redirect(*interface, 0) : XDP_PASS;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	enum kind kind = parse(data, end, &packet);
	__u32 verdict = judge(kind, &packet);

	count(kind, verdict, end - data);
	return verdict;
}
// ANCHOR_END: firewall

/* The pass program of the demo: a veth takes frames that XDP sends only if it has a program itself. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

// ANCHOR: egress
/* tc's program sees what goes out, which XDP never does. */
SEC("tc")
int egress(struct __sk_buff *ctx)
{
	struct packet packet = {};
	__u32 zero = 0, *rule;
	__u64 *drops;

	parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &packet);
	rule = destination_rule(&packet);
	if (!rule || *rule != XDP_DROP)
		return TC_ACT_OK;
	drops = bpf_map_lookup_elem(&egress_drops, &zero);
	if (drops)
		(*drops)++;
	return TC_ACT_SHOT;
}
// ANCHOR_END: egress
