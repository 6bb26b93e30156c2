// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the calls of a function that fail, by argument and error.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct failure {
	__u32 account;
	__u32 error;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct failure);
	__type(value, __u64);
} FAILED SEC(".maps");

/* The accounts that are being charged at this moment, each by the thread that does it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} ACCOUNTS SEC(".maps");

static void count(__u32 account, __u32 error)
{
	struct failure failure = { .account = account, .error = error };
	__u64 zero = 0, *count;

	/* Other CPUs may be here as well: one inserts the entry, and all find it afterwards. */
	bpf_map_update_elem(&FAILED, &failure, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&FAILED, &failure);
	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("uprobe")
int BPF_UPROBE(pay_enter, __u32 account)
{
	__u64 id = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&ACCOUNTS, &id, &account, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int BPF_URETPROBE(pay_exit, int result)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 *account = bpf_map_lookup_elem(&ACCOUNTS, &id);

	if (account) {
		if (result < 0)
			count(*account, -result);
		bpf_map_delete_elem(&ACCOUNTS, &id);
	}
	return 0;
}
