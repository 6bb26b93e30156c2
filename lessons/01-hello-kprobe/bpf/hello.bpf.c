// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A kprobe shows what goes into the function that removes a file, a kretprobe what comes out.
//
// Each event leaves the kernel in two ways: through a ring buffer, and as text in the kernel's
// trace buffer (trace_pipe).
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// The same struct as in src/event.rs.
#define ENTER 0
#define EXIT 1

struct event {
	__u32 pid;
	__u32 kind; // ENTER or EXIT
	__s32 value; // dirfd, or the return value
	char name[64];
};

// ANCHOR: events
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 128 * 1024);
} events SEC(".maps");
// ANCHOR_END: events

// ANCHOR: kprobe
SEC("kprobe")
int BPF_KPROBE(hello_enter, int dirfd, struct filename *filename)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct event event = { .pid = pid, .kind = ENTER, .value = dirfd };
	const char *name = BPF_CORE_READ(filename, name);

	if (bpf_probe_read_kernel_str(event.name, sizeof(event.name), name) < 0)
		return 1;

	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	bpf_printk("pid=%d enter dirfd=%d name=%s", pid, dirfd, event.name);
	return 0;
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
SEC("kretprobe")
int BPF_KRETPROBE(hello_exit, int ret)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct event event = { .pid = pid, .kind = EXIT, .value = ret };

	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	bpf_printk("pid=%d exit ret=%d", pid, ret);
	return 0;
}
// ANCHOR_END: kretprobe
