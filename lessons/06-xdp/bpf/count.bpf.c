// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 2: counts frames by what they carry, and by verdict.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"
#include "counters.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: count
SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	enum kind kind = parse_packet(data, end, &packet);
	__u32 verdict = kind == MALFORMED ? XDP_DROP : XDP_PASS;

	count_frame(kind, verdict, end - data);
	return verdict;
}
// ANCHOR_END: count
