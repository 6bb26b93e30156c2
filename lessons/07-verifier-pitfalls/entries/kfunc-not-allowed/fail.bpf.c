// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Empty, but more than a declaration: libbpf compares it with the kernel's own type. */
struct task_struct {};

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;

enum {
	WATCHED = 1, /* number of a process */
};

u64 sleeps; /* that began while this process was alive */

/* A kprobe can be almost anywhere in the kernel; this kfunc may not be called everywhere. */
SEC("kprobe/do_nanosleep")
int kfunc_not_allowed(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_task_from_pid(WATCHED);

	if (!task)
		return 0;
	sleeps += 1;
	bpf_task_release(task);
	return 0;
}
