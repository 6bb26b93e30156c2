// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Two ways to watch one function, do_sys_openat2(dirfd, filename, how), which opens files.
//
// fexit sees the arguments and the result in one place; only the time at which the call began is
// missing. kretprobe sees only the result, so the kprobe has to keep everything else for it.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "event.h"
#include "offsets.h"
#include "report.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: maps
// When a call began. The key is the thread, which can be in only one such call at a time. User
// space sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
} starts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");
// ANCHOR_END: maps

// ANCHOR: fentry
SEC("fentry/do_sys_openat2")
int open_enter(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), start = bpf_ktime_get_ns();

	if (is_wanted() && bpf_map_update_elem(&starts, &thread, &start, BPF_ANY))
		count_no_room(FEXIT);
	return 0;
}
// ANCHOR_END: fentry

// ANCHOR: fexit
// The result is a long up to Linux 6.12 and an int in 6.18: only the lower 32 bits of the register
// are sure to be the result.
SEC("fexit/do_sys_openat2")
int BPF_PROG(open_exit, int dirfd, const char *name, struct open_how *how, int result)
{
	__u64 thread = bpf_get_current_pid_tgid(), *start;
	struct call call = { .name = name };

	if (!is_wanted())
		return 0;
	start = bpf_map_lookup_elem(&starts, &thread);
	if (start)
		call.start = *start;
	bpf_map_delete_elem(&starts, &thread);
	// The verifier knows from BTF what `how` points to, and lets the program follow it; a fault
	// reads 0.
	call.flags = how->flags;
	report_call(FEXIT, &call, result);
	return 0;
}
// ANCHOR_END: fexit

// ANCHOR: kprobe
SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(open_enter_probe, int dirfd, const char *name, struct open_how *how)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call call = { .start = bpf_ktime_get_ns(), .name = name };

	if (!is_wanted())
		return 0;
	// Here `how` is only a number to the verifier: a helper has to read what it points to. As
	// with fexit, a fault reads 0.
	call.flags = BPF_CORE_READ(how, flags);
	if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY))
		count_no_room(KRETPROBE);
	return 0;
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
SEC("kretprobe/do_sys_openat2")
int BPF_KRETPROBE(open_exit_probe, int result)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call *kept = bpf_map_lookup_elem(&calls, &thread);

	if (kept) {
		struct call call = *kept;
		bpf_map_delete_elem(&calls, &thread);
		report_call(KRETPROBE, &call, result);
	}
	return 0;
}
// ANCHOR_END: kretprobe
