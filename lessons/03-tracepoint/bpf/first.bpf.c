// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Writes a line into the kernel's trace buffer for each program that is executed.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	char name[16];

	if (bpf_get_current_comm(name, sizeof(name)) == 0)
		bpf_printk("process %d executes %s", pid, name);
	return 0;
}
