// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The program may sleep. This function of the kernel is not on the list of those that may be held up by that. */
SEC("fentry.s/__sys_connect")
int BPF_PROG(sleepable_context, int fd, void *address)
{
	u16 family;

	if (!bpf_copy_from_user(&family, sizeof(family), address))
		bpf_printk("connect, address family %u", family);
	return 0;
}
