// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A uprobe shows what goes into a function of a program or library, a uretprobe what comes out, and
// a USDT program what a probe point of the program tells.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>
#include "event.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: uprobe
SEC("uprobe")
int BPF_UPROBE(on_enter, __u64 first, __u64 second, __u64 third)
{
	struct event event = { .values = { first, second, third } };

	start_event(&event, ENTER);
	read_text(&event);
	send_event(&event);
	return 0;
}
// ANCHOR_END: uprobe

// ANCHOR: uretprobe
SEC("uretprobe")
int BPF_URETPROBE(on_return, __u64 result)
{
	struct event event = { .values = { result } };

	start_event(&event, RETURN);
	send_event(&event);
	return 0;
}
// ANCHOR_END: uretprobe

// ANCHOR: sleepable
// May sleep until the page has been read into memory.
SEC("uprobe.s")
int BPF_UPROBE(on_enter_sleepable, __u64 first, __u64 second, __u64 third)
{
	struct event event = { .values = { first, second, third } };
	__u32 argument = text_argument;

	start_event(&event, ENTER);
	if (argument <= 2) {
		const void *text = (const void *)event.values[argument];

		event.text_error = bpf_copy_from_user(event.text, sizeof(event.text) - 1, text);
	}
	send_event(&event);
	return 0;
}
// ANCHOR_END: sleepable

// ANCHOR: usdt
SEC("usdt")
int on_point(struct pt_regs *ctx)
{
	struct event event = {};
	long value;

	start_event(&event, POINT);
	for (int i = 0; i < 3; i++) {
		// Fails, and leaves 0, if the probe point has no such argument.
		bpf_usdt_arg(ctx, i, &value);
		event.values[i] = value;
	}
	read_text(&event);
	send_event(&event);
	return 0;
}
// ANCHOR_END: usdt

// What runs when only the way into a program and back is measured.
SEC("uprobe")
int on_nothing(struct pt_regs *ctx)
{
	return 0;
}

SEC("uretprobe")
int on_nothing_return(struct pt_regs *ctx)
{
	return 0;
}
