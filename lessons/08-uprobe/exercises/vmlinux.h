/* The lines of vmlinux.h that these exercises need; lesson 01 says how to get the whole file. */
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
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
};

/* For bpf_map_update_elem: make the entry, or replace it. */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* x86-64: first argument, second argument, return value. */
struct pt_regs {
	unsigned long di, si, ax;
};

/* arm64: x0, x1 and so on. The first argument and the return value are both in x0. */
struct user_pt_regs {
	unsigned long regs[31];
};

#pragma clang attribute pop

#endif
