// The raw tracepoint: the program gets the arguments of the event as numbers, and a helper reads
// from the addresses among them.

// ANCHOR: program
SEC("raw_tracepoint/sched_process_exec")
int exec_raw(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct event *event = reserve(RAW);
	const char *filename;

	if (!event)
		return 0;

	event->old_pid = ctx->args[1];
	event->pid = BPF_CORE_READ(task, tgid);
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = BPF_CORE_READ(task, cred, uid.val);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	filename = BPF_CORE_READ(bprm, filename);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), filename);

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: program
