// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Kernel side: a policy. Processes that descend from the policy's command may not open what lies under one
// directory, and may not carry it out of there.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define EPERM 1
#define EAGAIN 11
#define FMODE_EXEC 0x20 // in f_flags: the file is opened to be executed
#define CLONE_THREAD 0x10000

#define OUTSIDE -1
// The verifier walks every step of a loop, and wants to see its end. What lies deeper is denied
// unseen.
#define MAX_STEPS 64

enum action { OPEN, EXEC, RENAME, LINK };
enum count { SENT, LOST, ASKED_WITH_ZERO, ASKED_WITH_VERDICT, COUNTS };

struct event {
	__u64 time;
	__u32 pid;
	__u32 action;
	__u32 steps;
	__u32 denied;
	char comm[16];
	char name[256];
};

// User space sets these before it loads; after that they are constants.
const volatile __u32 policy_pid; // children of this process are covered
const volatile __u32 audit;
const volatile __u32 dir_device;
const volatile __u64 dir_inode;

// The key is the address of the task_struct: unlike a process id, it is there before the process
// can run.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} covered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static bool is_covered(void)
{
	__u64 task = bpf_get_current_task();

	return bpf_map_lookup_elem(&covered, &task);
}

static void count(__u32 what)
{
	__u64 *number = bpf_map_lookup_elem(&counts, &what);

	if (number)
		__sync_fetch_and_add(number, 1);
}

// ANCHOR: walk
// How many steps lead from the file up to the directory.
static __always_inline int steps_to_dir(struct dentry *dentry)
{
	if (dentry->d_sb->s_dev != dir_device)
		return OUTSIDE;
	for (int steps = 0; steps < MAX_STEPS; steps++) {
		struct inode *inode = dentry->d_inode;
		struct dentry *parent = dentry->d_parent;

		if (inode && inode->i_ino == dir_inode)
			return steps;
		if (parent == dentry)
			return OUTSIDE; // the root of the file system
		dentry = parent;
	}
	return MAX_STEPS;
}
// ANCHOR_END: walk

static __always_inline void report(enum action action, struct dentry *dentry, int steps)
{
	count(SENT);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(LOST);
		return;
	}
	event->time = bpf_ktime_get_ns();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->action = action;
	event->steps = steps;
	event->denied = !audit;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->name[0] = 0;
	bpf_probe_read_kernel_str(event->name, sizeof(event->name), dentry->d_name.name);
	bpf_ringbuf_submit(event, 0);
}

// ANCHOR: verdict
static __always_inline int verdict(enum action action, struct dentry *dentry)
{
	if (!is_covered())
		return 0;
	int steps = steps_to_dir(dentry);
	if (steps == OUTSIDE)
		return 0;
	report(action, dentry, steps);
	// The verifier knows audit, and so what is returned. Were it a variable, Linux 6.12 alone
	// could not follow the shift that clang 22 makes of `condition ? -1 : 0`, and would refuse
	// the program.
	return audit ? 0 : -EPERM;
}
// ANCHOR_END: verdict

// ANCHOR: open
// An execution opens its file too, before the hook bprm_check_security: what is denied here never
// gets there.
SEC("lsm/file_open")
int BPF_PROG(guard_open, struct file *file, int previous)
{
	if (previous)
		return previous;
	return verdict(file->f_flags & FMODE_EXEC ? EXEC : OPEN, file->f_path.dentry);
}
// ANCHOR_END: open

// ANCHOR: carry
// Without these two a covered process could give the file a place outside, and open it there.
SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode *from, struct dentry *dentry, struct inode *to, struct dentry *target,
	     int previous)
{
	return previous ? previous : verdict(RENAME, dentry);
}

SEC("lsm/inode_link")
int BPF_PROG(guard_link, struct dentry *dentry, struct inode *to, struct dentry *target, int previous)
{
	return previous ? previous : verdict(LINK, dentry);
}
// ANCHOR_END: carry

// ANCHOR: witness
// The last argument is the verdict of the programs before this one. A program must not take it
// back.
SEC("lsm/file_open")
int BPF_PROG(witness_open, struct file *file, int previous)
{
	if (is_covered() && steps_to_dir(file->f_path.dentry) != OUTSIDE)
		count(previous ? ASKED_WITH_VERDICT : ASKED_WITH_ZERO);
	return previous;
}
// ANCHOR_END: witness

// ANCHOR: cover
// The parent makes this call when the child does not run yet. A child that cannot be covered is not
// born.
SEC("lsm/task_alloc")
int BPF_PROG(cover_child, struct task_struct *child, unsigned long flags, int previous)
{
	__u64 key = (__u64)child;
	__u8 yes = 1;

	if (previous)
		return previous;
	bool first = bpf_get_current_pid_tgid() >> 32 == policy_pid && !(flags & CLONE_THREAD);
	if (!first && !is_covered()) {
		// Addresses are used again: nothing of an earlier task may stay.
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
