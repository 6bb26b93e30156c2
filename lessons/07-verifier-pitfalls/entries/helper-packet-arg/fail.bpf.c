// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum {
	ETHERNET = 14, /* length of the header */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} headers SEC(".maps");

SEC("xdp")
int helper_packet_arg(struct xdp_md *ctx)
{
	u8 *data = (void *)(long)ctx->data;
	u8 *data_end = (void *)(long)ctx->data_end;

	if (data + ETHERNET > data_end)
		return XDP_PASS;
	/* The bytes are there, but this helper does not read from packets. */
	bpf_ringbuf_output(&headers, data, ETHERNET, 0);
	return XDP_PASS;
}
