// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports who sends which signal to whom.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct signal {
	__u32 sender;
	__s32 target;
	__s32 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} SIGNALS SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_kill")
int on_kill(struct enter_kill *ctx)
{
	struct signal *signal;

	/* Signal 0 is not sent: it only asks whether the process exists. */
	if (ctx->sig == 0)
		return 0;
	signal = bpf_ringbuf_reserve(&SIGNALS, sizeof(*signal), 0);
	if (!signal)
		return 0;
	signal->sender = bpf_get_current_pid_tgid() >> 32;
	signal->target = ctx->pid;
	signal->number = ctx->sig;
	bpf_ringbuf_submit(signal, 0);
	return 0;
}
