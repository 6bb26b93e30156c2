// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* As `bpftool btf dump` wrote it on Linux 5.10. */
struct task_struct {
	long state;
} __attribute__((preserve_access_index));

SEC("kprobe/do_nanosleep")
int core_relo(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	/* Linux 5.14 renamed the field: there is nothing to relocate to. */
	return BPF_CORE_READ(task, state) != 0;
}
