// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Sends the TCP connections of a cgroup to other ports, or denies them.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* What a program for `connect` may say; with 0, connect(2) fails with EPERM. */
#define ALLOW 1

/* From the port that is asked for to the one to take, as numbers of this machine. 0 denies. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __u16);
} PORTS SEC(".maps");

/* TODO: look into PORTS, and change ctx->user_port or deny. */
static int change_port(struct bpf_sock_addr *ctx)
{
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
