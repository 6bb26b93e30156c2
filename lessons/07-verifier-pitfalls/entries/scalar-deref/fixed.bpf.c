// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(scalar_deref, int dirfd, const char *filename)
{
	char first;

	if (bpf_probe_read_user(&first, sizeof(first), filename) < 0)
		return 0;
	if (first == '/')
		bpf_printk("opened by an absolute path");
	return 0;
}
