// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The program may sleep, and this kernel function is not on the list of those that allow it. */
SEC("fentry.s/__sys_connect")
int BPF_PROG(sleepable_context, int fd, void *address)
{
	u16 family;

	if (!bpf_copy_from_user(&family, sizeof(family), address))
		bpf_printk("connect, address family %u", family);
	return 0;
}
