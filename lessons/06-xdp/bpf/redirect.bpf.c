// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 5: sends datagrams for some UDP ports out through another interface.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"
#include "counters.h"
#include "rules.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: redirect
// A UDP port, and the index of the interface that its datagrams leave through.
//
// A devmap is made for this and is faster. But Linux 5.10 does not redirect in generic mode with
// aya's devmaps, whose entries have room for a second program.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} redirects SEC(".maps");

static __always_inline __u32 *find_interface(struct packet *packet)
{
	__u32 port;

	if (!packet->udp)
		return NULL;
	port = bpf_ntohs(packet->udp->dest);
	return bpf_map_lookup_elem(&redirects, &port);
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	enum kind kind = parse_packet(data, end, &packet);
	__u32 verdict = XDP_PASS;
	__u32 *ifindex;

	if (kind == MALFORMED || is_blocked(find_source(&packet))) {
		verdict = XDP_DROP;
	} else {
		ifindex = find_interface(&packet);
		if (ifindex)
			verdict = bpf_redirect(*ifindex, 0);
	}
	count_frame(kind, verdict, end - data);
	return verdict;
}
// ANCHOR_END: redirect
