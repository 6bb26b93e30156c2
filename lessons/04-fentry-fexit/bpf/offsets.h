// Reads a field of a struct of the kernel, whose layout differs from kernel to kernel.
#ifndef __OFFSETS_H__
#define __OFFSETS_H__

// ANCHOR: offsets
// Who started the process. Each arrow follows a pointer, so it is a separate read; the loader
// fills in the offsets.
static __u32 read_parent(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, real_parent, tgid);
}
// ANCHOR_END: offsets

#endif
