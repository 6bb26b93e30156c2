// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next SEC(".maps");

static __noinline int go_on(struct pt_regs *ctx)
{
	bpf_tail_call(ctx, &next, 0);
	return 0;
}

SEC("kprobe/do_nanosleep")
int tail_call_rules(struct pt_regs *ctx)
{
	char path[200];
	const void *argument = (const void *)PT_REGS_PARM1(ctx);
	long length = bpf_probe_read_user_str(path, sizeof(path), argument);

	if (length < 0)
		return 0;
	return go_on(ctx);
}
