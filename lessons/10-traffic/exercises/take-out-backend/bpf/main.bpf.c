// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Shares out the connections to a service among its backends.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define ALLOW 1

/* The ports of the backends, as numbers of this machine, from index 0 on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} BACKENDS SEC(".maps");

/* Index 0: how many of BACKENDS are used. Index 1: the port of the service. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} SETTINGS SEC(".maps");

/* How many connections there were. On several CPUs at once some may go to the same backend. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} CONNECTIONS SEC(".maps");

SEC("cgroup/connect4")
int balance(struct bpf_sock_addr *ctx)
{
	__u32 zero = 0, one = 1, index;
	__u32 *count = bpf_map_lookup_elem(&SETTINGS, &zero);
	__u32 *service = bpf_map_lookup_elem(&SETTINGS, &one);
	__u32 *connections = bpf_map_lookup_elem(&CONNECTIONS, &zero);
	__u32 *backend, backends;

	if (!count || !service || !connections || bpf_ntohs(ctx->user_port) != *service)
		return ALLOW;
	backends = *count;
	if (!backends)
		return ALLOW;
	index = (*connections)++ % backends;
	backend = bpf_map_lookup_elem(&BACKENDS, &index);
	if (backend)
		ctx->user_port = bpf_htons(*backend);
	return ALLOW;
}
