// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A table says, for a port, what bind(2) is to return: 0, or a negative error number.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define EPERM 1
#define MAX_ERRNO 4095
#define AF_INET 2
#define AF_INET6 10

/* By port. User space fills it in, and can make mistakes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, __s64);
} VERDICTS SEC(".maps");

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

SEC("lsm/socket_bind")
int BPF_PROG(on_bind, struct socket *socket, const void *address, int length, int previous)
{
	int port = port_of(address);
	__u16 key = port;
	__s64 *entry, verdict;

	if (previous)
		return previous;
	if (port < 0)
		return 0;
	entry = bpf_map_lookup_elem(&VERDICTS, &key);
	if (!entry)
		return 0;
	verdict = *entry;
	/* TODO: the verifier has to know what this can be. */
	return verdict;
}
