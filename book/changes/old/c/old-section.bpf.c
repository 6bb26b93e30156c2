#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("prog")
int first(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
