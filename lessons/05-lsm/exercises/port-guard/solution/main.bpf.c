// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Ports that belong to one user each. An attempt by another user is denied and reported, or only
// reported.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define EACCES 13
#define AF_INET 2
#define AF_INET6 10

enum action { DENY, AUDIT };

struct rule {
	__u32 uid; // the user that may bind the port
	__u32 action; // what happens to other users
};

/* By port. User space fills it in, and changes it at any time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, struct rule);
} RULES SEC(".maps");

struct attempt {
	__u32 uid;
	__u32 pid;
	__u16 port;
	__u16 denied; // 1, or 0
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ATTEMPTS SEC(".maps");

/* The port, or -1 when it is an address of another kind. */
static int port_of(const void *address)
{
	struct sockaddr_in in;

	if (bpf_probe_read_kernel(&in, sizeof(in), address))
		return -1;
	if (in.sin_family != AF_INET && in.sin_family != AF_INET6)
		return -1;
	return bpf_ntohs(in.sin_port);
}

static void report(__u16 port, __u16 denied)
{
	struct attempt *attempt = bpf_ringbuf_reserve(&ATTEMPTS, sizeof(*attempt), 0);

	if (!attempt)
		return; // nobody reads them: the verdict stays the same
	attempt->uid = bpf_get_current_uid_gid();
	attempt->pid = bpf_get_current_pid_tgid() >> 32;
	attempt->port = port;
	attempt->denied = denied;
	bpf_get_current_comm(attempt->comm, sizeof(attempt->comm));
	bpf_ringbuf_submit(attempt, 0);
}

SEC("lsm/socket_bind")
int BPF_PROG(guard_bind, struct socket *socket, const void *address, int length, int previous)
{
	__u32 uid = bpf_get_current_uid_gid();
	int port = port_of(address);
	__u16 key = port;
	struct rule *rule;

	if (previous)
		return previous;
	if (port < 0)
		return 0;
	rule = bpf_map_lookup_elem(&RULES, &key);
	if (!rule || rule->uid == uid)
		return 0;
	if (rule->action == AUDIT) {
		report(port, 0);
		return 0;
	}
	report(port, 1);
	return -EACCES;
}
