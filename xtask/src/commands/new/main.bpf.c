// SPDX-License-Identifier: MIT OR GPL-2.0-only
// TODO: what it does.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tracepoint/sched/sched_process_exec")
int IDENT(void *ctx)
{
	/* TODO: the gap. */
	return 0;
}
