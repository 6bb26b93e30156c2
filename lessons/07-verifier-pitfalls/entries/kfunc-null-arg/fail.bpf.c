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

u64 sleeps; /* of this process */

SEC("fentry/do_nanosleep")
int kfunc_null_arg(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(WATCHED);
	bool same;

	/* If no process has this number, `task` is null. */
	same = task == bpf_get_current_task_btf();
	bpf_task_release(task);
	sleeps += same;
	return 0;
}
