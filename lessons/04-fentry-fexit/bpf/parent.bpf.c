// SPDX-License-Identifier: MIT OR GPL-2.0-only
// task->real_parent->tgid, the parent's process id, with offsets from three sources.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// The same as in src/event.rs, which says where these two numbers come from.
#define BAKED_REAL_PARENT 2448
#define BAKED_TGID 2436

struct readings {
	__s64 baked, found, relocated, state_found, state_relocated;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct readings);
} readings SEC(".maps");

const volatile __u32 pid = 0;
const volatile __u32 real_parent = 0;
const volatile __u32 tgid = 0;
const volatile __u32 state = 0;

static __s64 read_u32(const void *base, __u32 offset)
{
	__u32 value;
	int error = bpf_probe_read_kernel(&value, sizeof(value), base + offset);

	return error ? error : (__s64)value;
}

// Nothing here knows which fields are at the offsets: wrong offsets read garbage, without an error.
static __s64 follow(const void *task, __u32 real_parent, __u32 tgid)
{
	const void *parent;
	int error = bpf_probe_read_kernel(&parent, sizeof(parent), task + real_parent);

	return error ? error : read_u32(parent, tgid);
}

// ANCHOR: ladder
SEC("fentry/do_sys_openat2")
int read_parent(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___before_5_14 *old = (void *)task;
	__u32 first = 0;
	struct readings *read = bpf_map_lookup_elem(&readings, &first);

	if (!read || pid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	read->baked = follow(task, BAKED_REAL_PARENT, BAKED_TGID);
	read->found = follow(task, real_parent, tgid);
	read->relocated = BPF_CORE_READ(task, real_parent, tgid);
	read->state_found = read_u32(task, state);
	// Only one of the two fields exists; the loader decides which, and the verifier drops the
	// other branch.
	if (bpf_core_field_exists(task->__state))
		read->state_relocated = BPF_CORE_READ(task, __state);
	else
		read->state_relocated = BPF_CORE_READ(old, state);
	return 0;
}
// ANCHOR_END: ladder
