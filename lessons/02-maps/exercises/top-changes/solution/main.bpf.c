// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Tells which programs change the most names: how many they made, removed and renamed.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct changes {
	__u64 made;
	__u64 removed;
	__u64 renamed;
};

/* By the name of the program. Each CPU adds to its own value, and user space sums them. When it is
 * full, the program that changed nothing for longest makes room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, char[16]);
	__type(value, struct changes);
} TOP SEC(".maps");

static __always_inline int count(struct changes new)
{
	/* Linux 6.1 writes no zeros after a short name, and they are a part of the key. */
	char comm[16] = {};
	struct changes *changes;

	if (bpf_get_current_comm(comm, sizeof(comm)))
		return 0;
	changes = bpf_map_lookup_elem(&TOP, comm);
	if (changes) {
		changes->made += new.made;
		changes->removed += new.removed;
		changes->renamed += new.renamed;
	} else {
		bpf_map_update_elem(&TOP, comm, &new, BPF_ANY);
	}
	return 0;
}

SEC("kprobe/security_inode_create")
int on_create(void *ctx)
{
	return count((struct changes){ .made = 1 });
}

SEC("kprobe/security_inode_mkdir")
int on_mkdir(void *ctx)
{
	return count((struct changes){ .made = 1 });
}

SEC("kprobe/security_inode_unlink")
int on_unlink(void *ctx)
{
	return count((struct changes){ .removed = 1 });
}

SEC("kprobe/security_inode_rmdir")
int on_rmdir(void *ctx)
{
	return count((struct changes){ .removed = 1 });
}

SEC("kprobe/security_inode_rename")
int on_rename(void *ctx)
{
	return count((struct changes){ .renamed = 1 });
}
