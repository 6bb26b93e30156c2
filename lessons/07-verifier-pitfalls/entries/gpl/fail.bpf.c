// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* That is how licences are named in source files. The kernel has a list of its own. */
char LICENSE[] SEC("license") = "GPL-2.0-only";

SEC("kprobe/do_nanosleep")
int gpl(struct pt_regs *ctx)
{
	bpf_printk("going to sleep");
	return 0;
}
