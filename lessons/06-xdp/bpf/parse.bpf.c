// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 1: drops frames that are malformed.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: parse
SEC("xdp")
int parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};

	return parse_packet(data, end, &packet) == MALFORMED ? XDP_DROP : XDP_PASS;
}
// ANCHOR_END: parse
