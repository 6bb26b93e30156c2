// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The address that clients connect to.
#include "endpoint.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct endpoint);
} service SEC(".maps");

static __always_inline struct endpoint *find_service(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&service, &zero);
}
