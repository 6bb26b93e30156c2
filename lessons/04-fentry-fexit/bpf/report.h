/* The end of a call, the same for both ways: count it, and send an event. */
#ifndef __REPORT_H__
#define __REPORT_H__

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

// What is known of a call when it begins.
struct call {
	__u64 start;
	__u64 flags;
	const char *name; // in the memory of the user program
	__s32 dirfd;
};

// ANCHOR: offsets
// Who started the process. Two structs lie on the way, one read each; the loader fills in the
// offsets.
static __u32 parent(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, real_parent, tgid);
}
// ANCHOR_END: offsets

static void no_room(__u32 way)
{
	struct totals *sum = bpf_map_lookup_elem(&totals, &way);

	if (sum)
		sum->no_room++;
}

static void report(__u32 way, const struct call *call, __s32 result)
{
	struct totals *sum = bpf_map_lookup_elem(&totals, &way);
	__u64 took = call->start ? bpf_ktime_get_ns() - call->start : 0;
	__u64 thread = bpf_get_current_pid_tgid();

	if (!sum || !wants_result(took, result))
		return;

	sum->calls++;
	if (call->start) {
		__u64 row = 63 - __builtin_clzll(took | 1);
		// The compiler knows that this is below 64, and would drop the mask; the verifier
		// needs it.
		barrier_var(row);
		sum->latency[row & 63]++;
	}

	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		sum->lost++;
		return;
	}
	*event = (struct event){
		.start = call->start,
		.took = took,
		.flags = call->flags,
		.way = way,
		.pid = thread >> 32,
		.tid = thread,
		.parent = parent(),
		.dirfd = call->dirfd,
		.result = result,
	};
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	// At the entry the name may not be in memory yet; now the kernel itself has just read it.
	bpf_probe_read_user_str(event->file, sizeof(event->file), call->name);
	bpf_ringbuf_submit(event, 0);
}

#endif
