#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	int key = 0;

	return bpf_map_lookup_elem(&counts, &key) ? XDP_PASS : XDP_DROP;
}
