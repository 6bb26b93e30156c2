// Each change is sent, counted for its process, and remembered under its name.
#pragma once
#include "state.bpf.h"

// ANCHOR: add
// Adds one, while other CPUs may do the same. Linux 5.10 has no atomic addition that returns the
// old value; a relaxed addition whose result nobody uses becomes the plain instruction.
static void add(__u64 *number)
{
	__atomic_fetch_add(number, 1, __ATOMIC_RELAXED);
}
// ANCHOR_END: add

// ANCHOR: send
static void send(struct change *change, __u64 length)
{
	__u64 size = offsetof(struct change, names) + length;

	add(&counters.changes);
	if (bpf_ringbuf_output(&changes, change, size, 0) < 0)
		add(&counters.lost);
}
// ANCHOR_END: send

// ANCHOR: hash
static void count_process(struct change *change)
{
	struct process new = {}, *process;

	__builtin_memcpy(new.comm, change->comm, sizeof(new.comm));
	// Fails if the process has an entry, which is fine, and if the map is full.
	bpf_map_update_elem(&processes, &change->pid, &new, BPF_NOEXIST);
	process = bpf_map_lookup_elem(&processes, &change->pid);
	add(process ? &process->changes : &counters.uncounted);
}
// ANCHOR_END: hash

// ANCHOR: lru
static void remember_name(struct change *change)
{
	struct recent new = {}, *name;
	char key[KEY_SIZE] = {};

	bpf_probe_read_kernel_str(key, sizeof(key), change->names);
	// Never full: names that have not been used for a long time are dropped.
	bpf_map_update_elem(&recent, key, &new, BPF_NOEXIST);
	name = bpf_map_lookup_elem(&recent, key);
	if (!name)
		return;
	add(&name->changes);
	name->last = bpf_ktime_get_ns();
}
// ANCHOR_END: lru
