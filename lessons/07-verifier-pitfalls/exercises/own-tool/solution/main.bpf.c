// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the calls of openat(2) by the name of the thread that calls.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Filled up with zeros. */
struct name {
	char bytes[16];
};

struct counts {
	__u64 succeeded;
	__u64 failed;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct name);
	__type(value, struct counts);
} COUNTS SEC(".maps");

/* The names that count; the empty one stands for everybody. Only the keys matter. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, struct name);
	__type(value, __u8);
} WANTED SEC(".maps");

/* The tool's own process. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} OWN SEC(".maps");

static int is_own(void)
{
	__u32 first = 0;
	__u32 *own = bpf_map_lookup_elem(&OWN, &first);

	return own && *own == bpf_get_current_pid_tgid() >> 32;
}

/* In this order: `only` adds the name before it removes the entry that stands for everybody. */
static int is_wanted(struct name *name)
{
	struct name everybody = {};

	return bpf_map_lookup_elem(&WANTED, &everybody) || bpf_map_lookup_elem(&WANTED, name);
}

static struct counts *find_counts(struct name *name)
{
	struct counts none = {};
	struct counts *counts = bpf_map_lookup_elem(&COUNTS, name);

	if (counts)
		return counts;
	/* Another CPU may be first: then this changes nothing. */
	bpf_map_update_elem(&COUNTS, name, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&COUNTS, name);
}

SEC("tracepoint/syscalls/sys_exit_openat")
int openat_ends(struct syscall_exit *ctx)
{
	struct counts *counts;
	struct name name = {};

	if (is_own() || bpf_get_current_comm(&name, sizeof(name)) || !is_wanted(&name))
		return 0;
	counts = find_counts(&name);
	if (!counts)
		return 0;
	if (ctx->result < 0)
		__sync_fetch_and_add(&counts->failed, 1);
	else
		__sync_fetch_and_add(&counts->succeeded, 1);
	return 0;
}
