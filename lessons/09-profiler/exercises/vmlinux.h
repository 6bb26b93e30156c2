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
	BPF_MAP_TYPE_STACK_TRACE = 7,
};

/* For bpf_map_update_elem: make the entry, or replace it. */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

/* For bpf_get_stackid: the stack in user space, not the one in the kernel. */
enum {
	BPF_F_USER_STACK = 1 << 8,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Where the CPU was. Each architecture has its own registers. */
#ifdef __TARGET_ARCH_arm64
struct user_pt_regs {
	unsigned long pc;
};
typedef struct user_pt_regs bpf_user_pt_regs_t;
#else
struct pt_regs {
	unsigned long ip;
};
typedef struct pt_regs bpf_user_pt_regs_t;
#endif

/* What a program for a perf event gets. */
struct bpf_perf_event_data {
	bpf_user_pt_regs_t regs;
};

#pragma clang attribute pop

#endif
