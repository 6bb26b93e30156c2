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

SEC("kprobe")
int BPF_KPROBE(on_open, int dirfd, const char *path)
{
	/* TODO: this does not fit the stack. Work on a value of a map instead. */
	struct open open;
	long length;

	open.pid = bpf_get_current_pid_tgid() >> 32;
	length = bpf_probe_read_user_str(open.path, PATH_SIZE, path);
	if (length < 0)
		return 0;
	/* Only the part that is used travels. */
	bpf_ringbuf_output(&OPENS, &open, sizeof(open.pid) + length, 0);
	return 0;
}
