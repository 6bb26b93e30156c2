// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Sends the TCP connections of a cgroup to other ports, or denies them.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define IPPROTO_TCP 6

/* What a program for `connect` may say; connect(2) then fails with EPERM, or goes on. */
#define DENY 0
#define ALLOW 1

/* From the port that is asked for to the one to take, as numbers of this machine. 0 denies. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __u16);
} PORTS SEC(".maps");

static int change_port(struct bpf_sock_addr *ctx)
{
	__u16 port = bpf_ntohs(ctx->user_port), *other;

	if (ctx->protocol != IPPROTO_TCP)
		return ALLOW;
	other = bpf_map_lookup_elem(&PORTS, &port);
	if (!other)
		return ALLOW;
	if (*other == 0)
		return DENY;
	ctx->user_port = bpf_htons(*other);
	return ALLOW;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return change_port(ctx);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return change_port(ctx);
}
