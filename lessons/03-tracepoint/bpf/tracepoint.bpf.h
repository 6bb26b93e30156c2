// The classic tracepoint: the kernel writes a record of the event, and the program reads that.

// ANCHOR: globals
// Where the fields of the record are. User space reads the format file of the event, and sets these
// before it loads the program. Fields of structs need no such globals: libbpf corrects the program
// (CO-RE).
const volatile __u32 payload_filename;
const volatile __u32 payload_pid;
const volatile __u32 payload_old_pid;
// ANCHOR_END: globals

// ANCHOR: program
SEC("tracepoint/sched/sched_process_exec")
int exec_tracepoint(void *record)
{
	struct event *event = reserve(TRACEPOINT);
	__u32 data_loc = 0;
	const char *filename;

	if (!event)
		return 0;

	bpf_probe_read_kernel(&event->pid, sizeof(event->pid), record + payload_pid);
	bpf_probe_read_kernel(&event->old_pid, sizeof(event->old_pid), record + payload_old_pid);
	// __data_loc: the lower half says where in the record the text is, the upper half how long
	// it is.
	bpf_probe_read_kernel(&data_loc, sizeof(data_loc), record + payload_filename);
	filename = record + (data_loc & 0xffff);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), filename);
	// The record has no more. Helpers know the process that runs, but not its parent.
	event->ppid = UNKNOWN;
	event->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(event->comm, sizeof(event->comm));

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: program
