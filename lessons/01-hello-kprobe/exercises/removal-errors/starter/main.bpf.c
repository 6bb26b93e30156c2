// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Which programs fail to remove files, with which error, and which file was the last?
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct reason {
	char program[16];
	__s32 error;
};

struct name {
	char bytes[64];
};

struct failures {
	__u64 count;
	struct name last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct reason);
	__type(value, struct failures);
} FAILURES SEC(".maps");

/* The files that are being removed at this moment, each by the thread that does it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct name);
} NAMES SEC(".maps");

SEC("kprobe")
int BPF_KPROBE(unlink_enter)
{
	/* TODO: put the name of the file into NAMES, for `unlink_exit` to find it. */
	return 0;
}

static void count(int error, struct name *name)
{
	struct reason reason = { .error = error };
	struct failures first = { .count = 0, .last = *name }, *failures;

	bpf_get_current_comm(reason.program, sizeof(reason.program));
	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&FAILURES, &reason, &first, BPF_NOEXIST);
	failures = bpf_map_lookup_elem(&FAILURES, &reason);
	if (failures) {
		__sync_fetch_and_add(&failures->count, 1);
		/* Of two names that are written at once, a mix may be left. */
		failures->last = *name;
	}
}

SEC("kretprobe")
int BPF_KRETPROBE(unlink_exit, int ret)
{
	struct name unknown = {};

	/* TODO: which error, and which file? Take the name out of NAMES, also where the removal
	 * worked. */
	if (ret < 0)
		count(0, &unknown);
	return 0;
}
