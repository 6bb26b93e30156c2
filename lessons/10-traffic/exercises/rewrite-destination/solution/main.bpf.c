// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Sends the UDP datagrams to some ports to another address and another port.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TC_ACT_OK 0
#define ETH_P_IP 0x0800
#define IPPROTO_UDP 17

/* The low 13 bits of frag_off say where in its packet a fragment belongs. */
#define FRAGMENT_OFFSET 0x1fff

/* The headers up to the checksum, one after the other, if the one of IPv4 has no options. */
struct headers {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

#define AT(field) __builtin_offsetof(struct headers, field)

struct destination {
	__be32 address;
	__be16 port;
	__u16 unused;
};

/* By the port that a datagram was sent to, as a number of this machine. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, struct destination);
} FORWARD SEC(".maps");

SEC("classifier")
int rewrite(struct __sk_buff *skb)
{
	/* Without a checksum there is a 0, which stays; a sum of 0 is written 0xffff. */
	const __u64 udp = BPF_F_MARK_MANGLED_0;
	struct destination *new;
	struct headers old;
	__u16 port;

	if (bpf_skb_load_bytes(skb, 0, &old, sizeof(old)) < 0)
		return TC_ACT_OK;
	if (old.ethernet.h_proto != bpf_htons(ETH_P_IP) || old.ip.version != 4 || old.ip.ihl != 5 ||
	    old.ip.protocol != IPPROTO_UDP || (old.ip.frag_off & bpf_htons(FRAGMENT_OFFSET)))
		return TC_ACT_OK;
	port = bpf_ntohs(old.udp.dest);
	new = bpf_map_lookup_elem(&FORWARD, &port);
	if (!new)
		return TC_ACT_OK;
	/* Both checksums cover the address: the one of UDP through its pseudo header. */
	bpf_l3_csum_replace(skb, AT(ip.check), old.ip.daddr, new->address, 4);
	bpf_l4_csum_replace(skb, AT(udp.check), old.ip.daddr, new->address,
			    udp | BPF_F_PSEUDO_HDR | 4);
	bpf_l4_csum_replace(skb, AT(udp.check), old.udp.dest, new->port, udp | 2);
	bpf_skb_store_bytes(skb, AT(ip.daddr), &new->address, sizeof(new->address), 0);
	bpf_skb_store_bytes(skb, AT(udp.dest), &new->port, sizeof(new->port), 0);
	return TC_ACT_OK;
}
