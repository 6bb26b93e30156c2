// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The backends, and the choice of one.
#include "endpoint.h"

// ANCHOR: maps
// What answers. User space sets is_up.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct endpoint);
} backend SEC(".maps");

// How many choices there were.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} choices SEC(".maps");
// ANCHOR_END: maps

static __always_inline struct endpoint *find_backend(__u32 index)
{
	return bpf_map_lookup_elem(&backend, &index);
}

// ANCHOR: choose
static __always_inline bool is_up(__u32 index)
{
	struct endpoint *found = find_backend(index);

	return found && found->is_up;
}

// The index of the next backend that is up, in turn, or -1. Two CPUs at once may choose the same
// one, which does no harm.
static __always_inline int choose_backend(void)
{
	__u32 zero = 0, *count = bpf_map_lookup_elem(&choices, &zero);

	for (int i = 0; count && i < BACKENDS; i++) {
		__u32 index = *count % BACKENDS;

		(*count)++;
		if (is_up(index))
			return index;
	}
	return -1;
}
// ANCHOR_END: choose
