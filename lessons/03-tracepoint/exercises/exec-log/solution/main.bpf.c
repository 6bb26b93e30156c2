// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Logs what the users in a table execute.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct record {
	__u32 pid;
	__u32 uid;
	char comm[16];
	char file[232];
};

/* Where `filename` is in the event's record. User space sets it, from the event's format file. */
const volatile __u32 FILENAME;

/* The users whose programs are logged. User space changes it at any time. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u8);
} USERS SEC(".maps");

/* Of one page: what does not fit is counted, not logged. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} LOG SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} LOST SEC(".maps");

static int lost(void)
{
	__u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&LOST, &first);

	if (count)
		*count += 1;
	return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int log_exec(void *ctx)
{
	__u32 uid = bpf_get_current_uid_gid(), data_loc = 0;
	struct record *record;

	if (!bpf_map_lookup_elem(&USERS, &uid))
		return 0;
	record = bpf_ringbuf_reserve(&LOG, sizeof(*record), 0);
	if (!record)
		return lost();
	record->pid = bpf_get_current_pid_tgid() >> 32;
	record->uid = uid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	/* The low half says where in the event's record the text is, the high half how long it
	 * is. */
	bpf_probe_read_kernel(&data_loc, sizeof(data_loc), ctx + FILENAME);
	bpf_probe_read_kernel_str(record->file, sizeof(record->file), ctx + (data_loc & 0xffff));
	bpf_ringbuf_submit(record, 0);
	return 0;
}
