// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct sleep {
	u64 began;
	u32 process;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sleeps SEC(".maps");

SEC("kprobe/do_nanosleep")
int mem_bounds(struct pt_regs *ctx)
{
	struct sleep *sleep;

	sleep = bpf_ringbuf_reserve(&sleeps, sizeof(*sleep), 0);
	if (!sleep)
		return 0;
	sleep->began = bpf_ktime_get_ns();
	sleep->process = bpf_get_current_pid_tgid() >> 32;
	bpf_ringbuf_submit(sleep, 0);
	return 0;
}
