/* What the eBPF programs tell the user-space program; src/event.rs has the same in Rust. */
#ifndef __EVENT_H__
#define __EVENT_H__

#define ENTER 0
#define RETURN 1
#define POINT 2

#define NO_TEXT 0xffffffff

struct event {
	__u32 kind; // ENTER, RETURN or POINT
	__u32 pid;
	__u64 values[3]; // the first three arguments, or the result
	__s64 text_error; // 0, or why the string could not be read
	char comm[16];
	char text[64];
};

struct counts {
	__u64 sent;
	__u64 lost;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counts SEC(".maps");

// Which argument is a string. User space sets it before it loads the programs.
const volatile __u32 text_argument = NO_TEXT;

static void start_event(struct event *event, __u32 kind)
{
	event->kind = kind;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

// ANCHOR: text
// Takes no page fault: what is not in memory at this moment cannot be read.
static void read_text(struct event *event)
{
	__u32 argument = text_argument;

	if (argument > 2)
		return;
	const void *text = (const void *)event->values[argument];
	long length = bpf_probe_read_user_str(event->text, sizeof(event->text), text);

	event->text_error = length < 0 ? length : 0;
}
// ANCHOR_END: text

static void send_event(struct event *event)
{
	__u32 key = 0;
	struct counts *sum = bpf_map_lookup_elem(&counts, &key);

	if (!sum)
		return;
	if (bpf_ringbuf_output(&events, event, sizeof(*event), 0))
		sum->lost++;
	else
		sum->sent++;
}

#endif
