// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A load balancer in tc: packets to the service get the address of a backend, and packets from a
// backend that of the service.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "service.h"
#include "backends.h"
#include "packet.h"
#include "flows.h"
#include "rewrite.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: balance
// For ingress. Other packets are none of its business: TC_ACT_UNSPEC lets the next program decide.
SEC("tc")
int to_backend(struct __sk_buff *ctx)
{
	struct endpoint *service = find_service(), *backend;
	struct packet packet = {};
	struct peer to;

	if (!service || !parse_packet(ctx, &packet))
		return TC_ACT_UNSPEC;
	to = peer_at(&packet, service);
	if (!is_same(&packet.destination, &to))
		return TC_ACT_UNSPEC;
	backend = find_backend(keep_or_choose(&packet));
	if (!backend)
		return TC_ACT_SHOT; // no backend is up
	to = peer_at(&packet, backend);
	return rewrite_peer(ctx, &packet, DESTINATION, &to) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

// For egress.
SEC("tc")
int to_client(struct __sk_buff *ctx)
{
	struct endpoint *service = find_service(), *backend;
	struct packet packet = {};
	struct peer from;

	if (!service || !parse_packet(ctx, &packet))
		return TC_ACT_UNSPEC;
	backend = find_backend(find_flow(&packet));
	if (!backend)
		return TC_ACT_UNSPEC;
	from = peer_at(&packet, backend);
	if (!is_same(&packet.source, &from))
		return TC_ACT_UNSPEC;
	from = peer_at(&packet, service);
	return rewrite_peer(ctx, &packet, SOURCE, &from) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
// ANCHOR_END: balance
