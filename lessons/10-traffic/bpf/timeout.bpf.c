// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Sets an option of TCP on connections to the service's port, whichever program made them.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "service.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: timeout
SEC("sockops")
int set_timeout(struct bpf_sock_ops *ctx)
{
	struct endpoint *service = find_service();
	// How long data may wait for its acknowledgement, in milliseconds, before the connection
	// ends.
	__u32 timeout = 5000;

	// The kernel calls for many reasons. This one is: the first segment is about to leave.
	if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB)
		return 0;
	// remote_port has 32 bits in network order, so the port's 16 bits are the upper half there.
	if (service && bpf_ntohl(ctx->remote_port) == bpf_ntohs(service->port))
		bpf_setsockopt(ctx, SOL_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
	return 0;
}
// ANCHOR_END: timeout
