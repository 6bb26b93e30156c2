// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int helper_not_allowed(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data;
	u8 *data_end = (void *)(long)ctx->data_end;
	u8 *kind = data + 12;

	if (kind + 2 > data_end)
		return XDP_PASS;
	return kind[0] == 0x86 && kind[1] == 0xdd ? XDP_DROP : XDP_PASS; /* IPv6 */
}
