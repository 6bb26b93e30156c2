// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("kprobe/do_nanosleep")
int gpl(struct pt_regs *ctx)
{
	bpf_printk("going to sleep");
	return 0;
}
