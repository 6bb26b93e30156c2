// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Empty, but more than a declaration: libbpf compares it with the kernel's own type. */
struct cpumask {};

struct task_struct {
	struct task_struct *parent;
	const struct cpumask *cpus_ptr;
} __attribute__((preserve_access_index));

bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *cpumask) __ksym;

u64 sleeps; /* on a CPU that the parent may use as well */

SEC("fentry/do_nanosleep")
int rcu_or_trusted(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* Nothing keeps the task alive that `parent` points to. */
	if (bpf_cpumask_test_cpu(bpf_get_smp_processor_id(), task->parent->cpus_ptr))
		sleeps += 1;
	return 0;
}
