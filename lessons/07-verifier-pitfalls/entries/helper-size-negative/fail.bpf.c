// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} opened SEC(".maps");

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(helper_size_negative, int dirfd, const char *filename)
{
	char name[64];
	long length = bpf_probe_read_user_str(name, sizeof(name), filename);

	/* If the name cannot be read, this length is an error number, less than 0. */
	bpf_ringbuf_output(&opened, name, length, 0);
	return 0;
}
