/* Events and counts for user space; src/event.rs has the records in Rust. */
#ifndef __REPORT_H__
#define __REPORT_H__

enum action { OPEN, EXEC, RENAME, LINK };
enum slot { SENT, LOST, ASKED_WITH_ZERO, ASKED_WITH_VERDICT, COUNT_SLOTS };

struct event {
	__u64 time;
	__u32 pid;
	__u32 action; // enum action
	__u32 steps;
	__u32 denied;
	char comm[16];
	char name[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNT_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static void add_count(__u32 slot)
{
	__u64 *number = bpf_map_lookup_elem(&counts, &slot);

	if (number)
		__sync_fetch_and_add(number, 1);
}

static __always_inline void report_access(__u32 action, struct dentry *dentry, int steps,
					  __u32 denied)
{
	add_count(SENT);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		add_count(LOST);
		return;
	}
	event->time = bpf_ktime_get_ns();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->action = action;
	event->steps = steps;
	event->denied = denied;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->name[0] = 0;
	bpf_probe_read_kernel_str(event->name, sizeof(event->name), dentry->d_name.name);
	bpf_ringbuf_submit(event, 0);
}

#endif
