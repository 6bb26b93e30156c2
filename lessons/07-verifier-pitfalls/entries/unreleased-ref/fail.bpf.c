// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct opened {
	char path[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} files SEC(".maps");

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(unreleased_ref, int directory, const char *path)
{
	struct opened *opened = bpf_ringbuf_reserve(&files, sizeof(*opened), 0);

	if (!opened)
		return 0;
	/* There is nothing to report, but the record is still reserved. */
	if (bpf_probe_read_user_str(opened->path, sizeof(opened->path), path) < 0)
		return 0;
	bpf_ringbuf_submit(opened, 0);
	return 0;
}
