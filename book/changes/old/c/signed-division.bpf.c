#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int total, parts;

SEC("kprobe/do_sys_openat2")
int divide(void *ctx)
{
	if (parts)
		total /= parts;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
