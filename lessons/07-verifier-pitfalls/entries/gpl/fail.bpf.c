// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* This is how source files name licences. The kernel has a different list. */
char LICENSE[] SEC("license") = "GPL-2.0-only";

SEC("kprobe/do_nanosleep")
int gpl(struct pt_regs *ctx)
{
	bpf_printk("going to sleep");
	return 0;
}
