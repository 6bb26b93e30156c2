/* The few lines of vmlinux.h that this lesson needs. The everyday way is the whole file, about
 * 3 MB:
 *
 *     bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h
 *
 * Order and size of the members do not matter here: for each access the loader looks the member up
 * by its name in the BTF of the running kernel, and corrects the program. preserve_access_index
 * asks for that.
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
typedef _Bool bool;

enum { BPF_ANY = 0 };

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

// ANCHOR: core
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* x86-64: the first three arguments, and the result. */
struct pt_regs {
	unsigned long di, si, dx, ax;
};

/* arm64: x0, x1 and so on. The first argument and the result are both in x0. */
struct user_pt_regs {
	unsigned long regs[31];
};

struct open_how {
	__u64 flags;
};

struct task_struct {
	unsigned int __state; /* since Linux 5.14 */
	struct task_struct *real_parent;
	__s32 tgid;
};

/* The older form: loaders ignore the part of the name from the three underscores on. */
struct task_struct___before_5_14 {
	long state;
};

#pragma clang attribute pop
// ANCHOR_END: core

#endif
