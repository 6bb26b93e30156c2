// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The smallest eBPF program. It lets every network packet pass.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

// ANCHOR: program
SEC("xdp")
int intro(struct xdp_md *ctx)
{
	return XDP_PASS;
}
// ANCHOR_END: program

// ANCHOR: licence
char LICENSE[] SEC("license") = "Dual MIT/GPL";
// ANCHOR_END: licence
