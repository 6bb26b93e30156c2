#include <linux/bpf.h>
#include "bpf_helpers.h"

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
