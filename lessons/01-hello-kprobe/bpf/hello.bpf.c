// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Kernel side: says what goes into the function that removes a file, and what comes out of it.
//
// Each message goes two ways: through a ring buffer, and into the kernel's trace buffer
// (trace_pipe).
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: messages
// aya-log has no twin in C, so we send what its messages are made of; user space makes the text.
struct message {
	__u32 pid;
	__u32 exit; // 0: the function is entered, 1: it returns
	__s32 value; // dirfd, or the return value
	char name[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 128 * 1024);
} messages SEC(".maps");
// ANCHOR_END: messages

// ANCHOR: kprobe
SEC("kprobe")
int BPF_KPROBE(hello_enter, int dirfd, struct filename *filename)
{
	struct message message = { .pid = bpf_get_current_pid_tgid() >> 32, .value = dirfd };
	const char *name = BPF_CORE_READ(filename, name);

	if (bpf_probe_read_kernel_str(message.name, sizeof(message.name), name) < 0)
		return 1;

	bpf_ringbuf_output(&messages, &message, sizeof(message), 0);
	bpf_printk("pid=%d enter dirfd=%d name=%s", message.pid, dirfd, message.name);
	return 0;
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
SEC("kretprobe")
int BPF_KRETPROBE(hello_exit, int ret)
{
	struct message message = { .pid = bpf_get_current_pid_tgid() >> 32, .exit = 1, .value = ret };

	bpf_ringbuf_output(&messages, &message, sizeof(message), 0);
	bpf_printk("pid=%d exit ret=%d", message.pid, ret);
	return 0;
}
// ANCHOR_END: kretprobe
