#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile unsigned int wanted = 0;
unsigned long long seen = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, unsigned int);
	__type(value, unsigned int);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, unsigned int);
	__type(value, unsigned long long);
} counts SEC(".maps");

SEC("kprobe/do_sys_openat2")
int count_open(void *ctx)
{
	__sync_fetch_and_add(&seen, wanted);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
