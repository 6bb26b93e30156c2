#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

unsigned long long next;

SEC("kprobe/do_sys_openat2")
int number(void *ctx)
{
	unsigned long long mine = __sync_fetch_and_add(&next, 1);

	bpf_printk("open number %llu", mine);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
