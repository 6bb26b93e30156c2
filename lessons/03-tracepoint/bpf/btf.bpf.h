// The BTF tracepoint: the program gets the same arguments, but the verifier knows their types, so
// that plain loads are enough.

// ANCHOR: program
SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_btf, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct event *event = reserve(BTF);

	if (!event)
		return 0;

	event->old_pid = old_pid;
	event->pid = task->tgid;
	event->ppid = task->real_parent->tgid;
	event->uid = task->cred->uid.val;
	bpf_probe_read_kernel_str(event->comm, sizeof(event->comm), task->comm);
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), bprm->filename);

	bpf_ringbuf_submit(event, 0);
	return 0;
}
// ANCHOR_END: program
