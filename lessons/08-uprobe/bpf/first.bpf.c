// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Writes a line into the kernel's trace buffer for each call of getenv in the C library.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe")
int BPF_UPROBE(on_getenv, const char *name)
{
	char text[32] = {};

	bpf_probe_read_user_str(text, sizeof(text), name);
	bpf_printk("getenv(%s)", text);
	return 0;
}
