// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports each path that a process opens, however long it is.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The longest path that the kernel takes, with the zero byte at its end. */
#define PATH_SIZE 4096

struct open {
	__u32 pid;
	char path[PATH_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} OPENS SEC(".maps");

/* Too large for the stack. Each CPU has its own, and runs one program of this kind at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct open);
} SCRATCH SEC(".maps");

SEC("kprobe")
int BPF_KPROBE(on_open, int dirfd, const char *path)
{
	__u32 first = 0;
	struct open *open = bpf_map_lookup_elem(&SCRATCH, &first);
	long length;

	if (!open)
		return 0;
	open->pid = bpf_get_current_pid_tgid() >> 32;
	length = bpf_probe_read_user_str(open->path, PATH_SIZE, path);
	if (length < 0)
		return 0;
	/* Only the part that is used travels. */
	bpf_ringbuf_output(&OPENS, open, sizeof(open->pid) + length, 0);
	return 0;
}
