// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Chooses one of eight servers for each frame, by its source address, from those that are up.
// TODO: the verifier rejects this program. It does the right thing; make it load.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ETH_P_IP 0x0800
#define SERVERS_MAX 8

struct server {
	/* 1 or 0; user space sets it. */
	__u64 up;
	/* For which it was chosen. */
	__u64 frames;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SERVERS_MAX);
	__type(key, __u32);
	__type(value, struct server);
} SERVERS SEC(".maps");

SEC("xdp")
int choose(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct server *server;
	__u32 number;

	if (data + sizeof(*ethernet) + sizeof(*ip) > end ||
	    ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	number = bpf_ntohl(ip->saddr) % SERVERS_MAX;
	/* If that one is down, the next takes over; the first comes after the last. */
	for (;;) {
		server = bpf_map_lookup_elem(&SERVERS, &number);
		if (!server)
			return XDP_DROP;
		if (server->up) {
			/* Other CPUs may add to it too. */
			__sync_fetch_and_add(&server->frames, 1);
			return XDP_PASS;
		}
		number = (number + 1) % SERVERS_MAX;
	}
}
