// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} messages SEC(".maps");

SEC("kprobe/do_nanosleep")
int misaligned(struct pt_regs *ctx)
{
	u64 time = bpf_ktime_get_ns();
	u32 message[4], *next = message;

	/* Process, time and CPU, without padding between them. */
	*next++ = bpf_get_current_pid_tgid() >> 32;
	__builtin_memcpy(next, &time, sizeof(time));
	next += 2;
	*next = bpf_get_smp_processor_id();
	bpf_ringbuf_output(&messages, message, sizeof(message), 0);
	return 0;
}
