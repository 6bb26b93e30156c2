// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct task_struct {
	unsigned int __state;
} __attribute__((preserve_access_index));

/* As `bpftool btf dump` wrote it on Linux 5.10. */
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

SEC("kprobe/do_nanosleep")
int core_relo(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state) != 0;
	return BPF_CORE_READ(old, state) != 0;
}
