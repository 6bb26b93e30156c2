// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Step 3: drops packets from addresses that are blocked.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "ethernet.h"
#include "counters.h"
#include "rules.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: block
SEC("xdp")
int block(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet packet = {};
	enum kind kind = parse_packet(data, end, &packet);
	__u32 verdict = XDP_PASS;

	if (kind == MALFORMED || is_blocked(find_source(&packet)))
		verdict = XDP_DROP;
	count_frame(kind, verdict, end - data);
	return verdict;
}
// ANCHOR_END: block
