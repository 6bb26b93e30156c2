// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Which addresses are blocked.
#include "address.h"

// ANCHOR: rules
struct key_v4 {
	__u32 prefixlen;
	__be32 data;
};

struct key_v6 {
	__u32 prefixlen;
	struct in6_addr data;
};

// A network, and the verdict for packets from there: XDP_DROP, or XDP_PASS for an exception. A
// lookup finds the entry with the longest prefix.
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key_v4);
	__type(value, __u32);
} rules_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 100000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key_v6);
	__type(value, __u32);
} rules_v6 SEC(".maps");
// ANCHOR_END: rules

// ANCHOR: lookup
static __always_inline bool is_blocked(struct address address)
{
	__u32 *rule = NULL;

	if (address.ipv4) {
		struct key_v4 key = { .prefixlen = 32, .data = *address.ipv4 };

		rule = bpf_map_lookup_elem(&rules_v4, &key);
	} else if (address.ipv6) {
		struct key_v6 key = { .prefixlen = 128, .data = *address.ipv6 };

		rule = bpf_map_lookup_elem(&rules_v6, &key);
	}
	return rule && *rule == XDP_DROP;
}
// ANCHOR_END: lookup
