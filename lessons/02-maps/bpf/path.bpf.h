// Where a name is: the kernel's struct dentry is one name in a directory, and points to the dentry
// of that directory.
#pragma once
#include "count.bpf.h"
#include "state.bpf.h"

static __u32 read_device(struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_sb, s_dev);
}

// ANCHOR: walk
// Collects the names from dentry up to the watched directory, and returns how many bytes they take;
// 0 if the name is not in that directory.
static __u64 collect_names(struct dentry *dentry, char *names)
{
	__u64 used = 0;

	for (int level = 0; level < LEVELS; level++) {
		const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
		long length = bpf_probe_read_kernel_str(names + used, NAME_SIZE, name);
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		// The root of a file system is its own parent.
		if (length < 0 || parent == dentry)
			return 0;
		used += length;
		if (BPF_CORE_READ(parent, d_inode, i_ino) == watched.inode)
			return used;
		dentry = parent;
	}
	add(&counters.too_deep);
	return 0;
}
// ANCHOR_END: walk
