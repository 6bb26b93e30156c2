/* Which tasks are covered: the children of the policy's process, and all that descend from them. */
#ifndef __TREE_H__
#define __TREE_H__

#define EAGAIN 11
#define CLONE_THREAD 0x10000

const volatile __u32 policy_pid; // children of this process are covered

// The key is the address of the task_struct: unlike a process id, it exists before the process can
// run. User space sets the size.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} covered SEC(".maps");

static bool is_covered(void)
{
	__u64 task = bpf_get_current_task();

	return bpf_map_lookup_elem(&covered, &task);
}

// ANCHOR: cover
// The parent makes this call while the child does not run yet. If a child cannot be covered, fork
// fails.
SEC("lsm/task_alloc")
int BPF_PROG(cover_child, struct task_struct *child, unsigned long flags, int previous)
{
	__u64 key = (__u64)child;
	__u8 yes = 1;

	if (previous)
		return previous;
	bool is_first = bpf_get_current_pid_tgid() >> 32 == policy_pid && !(flags & CLONE_THREAD);
	if (!is_first && !is_covered()) {
		// The kernel uses addresses again: nothing of an earlier task may stay.
		bpf_map_delete_elem(&covered, &key);
		return 0;
	}
	return bpf_map_update_elem(&covered, &key, &yes, 0) ? -EAGAIN : 0;
}

SEC("lsm/task_free")
int BPF_PROG(forget, struct task_struct *task)
{
	__u64 key = (__u64)task;

	bpf_map_delete_elem(&covered, &key);
	return 0;
}
// ANCHOR_END: cover

#endif
