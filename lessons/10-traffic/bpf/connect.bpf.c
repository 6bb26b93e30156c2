// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The same load balancer at the socket: the address changes once, when a program calls connect.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "service.h"
#include "backends.h"
#include "sockets.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define DENY 0 // connect fails with EPERM
#define ALLOW 1

// ANCHOR: connect
SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct endpoint *service = find_service(), *backend;

	if (!service || ctx->user_ip4 != service->ipv4[3] || ctx->user_port != service->port)
		return ALLOW;
	backend = connect_socket(ctx);
	if (!backend)
		return DENY; // no backend is up
	ctx->user_ip4 = backend->ipv4[3];
	ctx->user_port = backend->port;
	return ALLOW;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	struct endpoint *service = find_service(), *backend;

	if (!service || !has_address(ctx, service->ipv6) || ctx->user_port != service->port)
		return ALLOW;
	backend = connect_socket(ctx);
	if (!backend)
		return DENY; // no backend is up
	set_address(ctx, backend->ipv6);
	ctx->user_port = backend->port;
	return ALLOW;
}
// ANCHOR_END: connect

// ANCHOR: getpeername
// A program that asks whom it is connected to hears the address that it asked for, the service.
SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	struct endpoint *service = find_service(), *backend = find_given(ctx);

	if (!service || !backend)
		return ALLOW;
	if (ctx->user_ip4 == backend->ipv4[3] && ctx->user_port == backend->port) {
		ctx->user_ip4 = service->ipv4[3];
		ctx->user_port = service->port;
	}
	return ALLOW;
}
// ANCHOR_END: getpeername

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	struct endpoint *service = find_service(), *backend = find_given(ctx);

	if (!service || !backend)
		return ALLOW;
	if (has_address(ctx, backend->ipv6) && ctx->user_port == backend->port) {
		set_address(ctx, service->ipv6);
		ctx->user_port = service->port;
	}
	return ALLOW;
}
