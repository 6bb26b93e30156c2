// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(scalar_deref, int dirfd, const char *filename)
{
	/* The name is still in the memory of the process that opens the file. */
	if (filename[0] == '/')
		bpf_printk("opened by an absolute path");
	return 0;
}
