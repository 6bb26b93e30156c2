/* The few lines of vmlinux.h that this lesson needs. Usually one takes the whole file, about 3 MB:
 *
 *     bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h
 *
 * Order and size of the members do not matter here: for each access libbpf looks the member up, by
 * its name, in the BTF of the running kernel, and corrects the program. preserve_access_index asks
 * for that.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_NOEXIST = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* x86-64: the first four arguments. */
struct pt_regs {
	unsigned long di, si, dx, cx;
};

/* arm64: x0, x1 and so on; the first arguments are in the first ones. */
struct user_pt_regs {
	unsigned long regs[31];
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

/* In Linux 6.12 d_name is a member, in 6.18 it is in a nameless union: libbpf finds it in both. */
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

#pragma clang attribute pop

#endif
