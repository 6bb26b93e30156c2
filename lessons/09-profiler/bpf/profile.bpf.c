// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Runs many times a second on each CPU, and counts what the CPU was doing: the stack of the
// process and the stack of the kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "event.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: maps
// The key is a hash of the stack, the value is its addresses, innermost first. User space sets the
// size of this map and of the next.
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, MAX_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sample_key);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample_totals);
} totals SEC(".maps");
// ANCHOR_END: maps

// User space sets it before it loads the program. 0: every process.
const volatile __u32 pid = 0;

// ANCHOR: stack
// The stack's key in the map. The kernel walks through the stack, hashes the addresses, and stores
// them unless they are there already. Also the number of an error, for example -EEXIST: another
// stack has its place.
static __s32 keep_stack(void *ctx, __u64 flags)
{
	return bpf_get_stackid(ctx, &stacks, flags);
}
// ANCHOR_END: stack

// ANCHOR: count
// Whether there was room.
static bool count_sample(struct sample_key *key)
{
	__u64 none = 0, *count;

	// Fails if the key has an entry, which is fine, and if the map is full.
	bpf_map_update_elem(&counts, key, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&counts, key);
	if (!count)
		return false;
	// Atomic: the threads of a process run on several CPUs.
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	return true;
}
// ANCHOR_END: count

// ANCHOR: sample
SEC("perf_event")
int take_sample(void *ctx)
{
	__u32 zero = 0, current = bpf_get_current_pid_tgid() >> 32;
	struct sample_totals *sum = bpf_map_lookup_elem(&totals, &zero);
	struct sample_key key = { .pid = current };

	if (!sum)
		return 0;
	// The kernel's idle task, one for each CPU.
	if (!current) {
		sum->idle++;
		return 0;
	}
	if (pid && pid != current)
		return 0;
	sum->samples++;
	key.user_stack = keep_stack(ctx, BPF_F_USER_STACK);
	key.kernel_stack = keep_stack(ctx, 0);
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (!count_sample(&key))
		sum->uncounted++;
	return 0;
}
// ANCHOR_END: sample
