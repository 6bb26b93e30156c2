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
	u8 header[ETHERNET];

	if (data + ETHERNET > data_end)
		return XDP_PASS;
	__builtin_memcpy(header, data, ETHERNET);
	bpf_ringbuf_output(&headers, header, ETHERNET, 0);
	return XDP_PASS;
}
