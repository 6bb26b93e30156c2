// Which calls are wanted, and what happens with such a call when it ends: the same for both pairs
// of programs.
#ifndef __REPORT_H__
#define __REPORT_H__

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

// User space sets these before it loads the programs. To the verifier they are constants, and it
// drops the code that they rule out.
const volatile __u32 pid = 0; // 0: every process
const volatile __u64 slower_than = 0; // nanoseconds

// What is known of a call when it begins.
struct call {
	__u64 start;
	__u64 flags;
	const char *name; // in the memory of the user program
};

static bool is_wanted(void)
{
	return !pid || pid == bpf_get_current_pid_tgid() >> 32;
}

static void count_no_room(__u32 seen_by)
{
	struct totals *sum = bpf_map_lookup_elem(&totals, &seen_by);

	if (sum)
		sum->no_room++;
}

static void fill_event(struct event *event, __u32 seen_by, const struct call *call, __u64 took,
		       __s32 result)
{
	event->start = call->start;
	event->took = took;
	event->flags = call->flags;
	event->seen_by = seen_by;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->parent = read_parent();
	event->result = result;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->filename[0] = 0;
	// At the entry the name may not be in memory yet; by now the kernel itself has read it.
	bpf_probe_read_user_str(event->filename, sizeof(event->filename), call->name);
}

static void report_call(__u32 seen_by, const struct call *call, __s32 result)
{
	struct totals *sum = bpf_map_lookup_elem(&totals, &seen_by);
	__u64 took = call->start ? bpf_ktime_get_ns() - call->start : 0;
	__u64 row = 63 - __builtin_clzll(took | 1);

	if (!sum || took < slower_than)
		return;
	sum->calls++;
	if (call->start) {
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
	fill_event(event, seen_by, call, took, result);
	bpf_ringbuf_submit(event, 0);
}

#endif
