// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	ETHERNET = 14, /* length of the header */
	IPV4 = 20,
	PROTOCOL = 9, /* place in the header of IPv4 */
	ICMP = 1,
};

SEC("xdp")
int packet_bounds(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data;
	u8 *data_end = (void *)(long)ctx->data_end;

	/* This checks only for the first header, and the protocol is in the second. */
	if (data + ETHERNET > data_end)
		return XDP_PASS;
	if (data[12] != 0x08 || data[13] != 0x00) /* not IPv4 */
		return XDP_PASS;
	return data[ETHERNET + PROTOCOL] == ICMP ? XDP_DROP : XDP_PASS;
}
