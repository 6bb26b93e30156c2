// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports what is written to files: how much, and how it starts.
// TODO: the verifier rejects this program. It does the right thing; make it load.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct written {
	__u32 thread;
	/* Length of everything that is written. */
	__u32 length;
	/* Its first bytes, then zeros. */
	__u8 start[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} WRITTEN SEC(".maps");

SEC("kprobe/vfs_write")
int BPF_KPROBE(watch_writes, void *file, const void *from, unsigned long count)
{
	struct written written = { .thread = bpf_get_current_pid_tgid(), .length = count };

	if (bpf_probe_read_user(written.start, count, from))
		return 0;
	bpf_ringbuf_output(&WRITTEN, &written, sizeof(written), 0);
	return 0;
}
