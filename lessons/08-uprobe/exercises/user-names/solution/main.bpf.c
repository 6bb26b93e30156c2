// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the calls of a function by its argument: a name.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct name {
	char bytes[32];
};

/* How often each name was asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct name);
	__type(value, __u64);
} NAMES SEC(".maps");

/* One number: the calls whose name could not be read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} UNREADABLE SEC(".maps");

static void count_name(struct name *name)
{
	__u64 zero = 0, *count;

	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&NAMES, name, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&NAMES, name);
	if (count)
		__sync_fetch_and_add(count, 1);
}

static void count_unreadable(void)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&UNREADABLE, &first);

	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("uprobe")
int BPF_UPROBE(on_find_user, const char *address)
{
	struct name name = {};

	if (bpf_probe_read_user_str(name.bytes, sizeof(name.bytes), address) < 0)
		count_unreadable();
	else
		count_name(&name);
	return 0;
}
