// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Writes a line into the kernel's trace buffer for each file that is removed.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kprobe")
int on_unlink(struct pt_regs *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	bpf_printk("process %d removes a file", pid);
	return 0;
}
