// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Without `static` it is checked for any caller, with a pointer to one readable `char`. */
__noinline int is_absolute(const char *path)
{
	char first = 0;

	bpf_probe_read_user(&first, sizeof(first), path);
	return first == '/';
}

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(global_func_arg, int directory, const char *path)
{
	if (is_absolute(path))
		bpf_printk("opened by an absolute path");
	return 0;
}
