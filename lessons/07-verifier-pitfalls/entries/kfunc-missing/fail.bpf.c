// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

u64 sleeps; /* of process 1 */

SEC("kprobe/do_nanosleep")
int kfunc_missing(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	int process;

	/* This calls the kernel function `bpf_rdonly_cast`, which not every kernel has. */
	process = bpf_core_cast(task, struct task_struct)->tgid;
	if (process == 1)
		sleeps += 1;
	return 0;
}
