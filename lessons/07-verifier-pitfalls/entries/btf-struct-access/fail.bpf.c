// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define AF_INET6 10

struct socket;

struct sockaddr_in6 {
	u16 family;
	__be16 port;
	__be32 flow;
	__be32 address[4];
	u32 scope;
};

SEC("fentry/security_socket_connect")
int BPF_PROG(btf_struct_access, struct socket *sock, struct sockaddr_in6 *to)
{
	if (to->family != AF_INET6)
		return 0;
	/* The kernel's function has a `struct sockaddr` here, which is shorter. */
	bpf_printk("to an address that ends with %08x", bpf_ntohl(to->address[3]));
	return 0;
}
