// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Kernel side: tells who executes what, from one event in three ways.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum way { TRACEPOINT, RAW, BTF, WAYS };

#define UNKNOWN ((__u32)-1)

// Its twin is src/event.rs.
struct event {
	__u64 time;
	__u32 way;
	__u32 pid;
	__u32 old_pid;
	__u32 ppid;
	__u32 uid;
	char comm[16];
	char filename[252];
};
_Static_assert(sizeof(struct event) == 296, "src/event.rs has the same layout");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// How many events of each way found the ring buffer full.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WAYS);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

// ANCHOR: globals
// Where the fields of the record lie. User space fills these in before it loads the program, from
// the event's format file. For the fields of structs no globals are needed: there libbpf corrects
// the program (CO-RE).
const volatile __u32 payload_filename;
const volatile __u32 payload_pid;
const volatile __u32 payload_old_pid;
// ANCHOR_END: globals

static __always_inline struct event *reserve(__u32 way);

// ANCHOR: tracepoint
SEC("tracepoint/sched/sched_process_exec")
int exec_tracepoint(void *record)
{
	struct event *event = reserve(TRACEPOINT);
	__u32 data_loc = 0;

	if (!event)
		return 0;

	bpf_probe_read_kernel(&event->pid, sizeof(event->pid), record + payload_pid);
	bpf_probe_read_kernel(&event->old_pid, sizeof(event->old_pid), record + payload_old_pid);
	// __data_loc: the low half says where in the record the text lies, the high half how long
	// it is.
	bpf_probe_read_kernel(&data_loc, sizeof(data_loc), record + payload_filename);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), record + (data_loc & 0xffff));
	// The record has no more. Helpers tell about the process that runs, but not who its parent
	// is.
	event->ppid = UNKNOWN;
	event->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(event->comm, sizeof(event->comm));

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: tracepoint

// ANCHOR: raw
SEC("raw_tracepoint/sched_process_exec")
int exec_raw(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct event *event = reserve(RAW);

	if (!event)
		return 0;

	event->old_pid = ctx->args[1];
	event->pid = BPF_CORE_READ(task, tgid);
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = BPF_CORE_READ(task, cred, uid.val);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), BPF_CORE_READ(bprm, filename));

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: raw

// ANCHOR: btf
SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_btf, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct event *event = reserve(BTF);

	if (!event)
		return 0;

	// Plain loads: the verifier knows the types, and has checked them before the program runs.
	event->old_pid = old_pid;
	event->pid = task->tgid;
	event->ppid = task->real_parent->tgid;
	event->uid = task->cred->uid.val;
	bpf_probe_read_kernel_str(event->comm, sizeof(event->comm), task->comm);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), bprm->filename);

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: btf

// ANCHOR: send
static __always_inline struct event *reserve(__u32 way)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (event) {
		event->time = bpf_ktime_get_ns();
		event->way = way;
		return event;
	}
	__u64 *count = bpf_map_lookup_elem(&lost, &way);
	if (count)
		*count += 1;
	return 0;
}
// ANCHOR_END: send
