// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TASK_COMM_LEN 16

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} names SEC(".maps");

SEC("kprobe/do_nanosleep")
int stack_bounds(struct pt_regs *ctx)
{
	char name[8];

	/* The kernel's names have 16 bytes, and this array has 8. */
	bpf_get_current_comm(name, TASK_COMM_LEN);
	bpf_ringbuf_output(&names, name, sizeof(name), 0);
	return 0;
}
