// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct hrtimer_sleeper;

/* A kprobe does not get the arguments of the function it watches: it gets the registers. */
SEC("kprobe/do_nanosleep")
int uninit_reg(struct hrtimer_sleeper *sleeper, int mode)
{
	if (mode == 0)
		bpf_printk("sleeps until a point in time");
	return 0;
}
