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
typedef int pid_t;

enum bpf_map_type {
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

/* What a raw tracepoint gets: the arguments of the event, whatever they are. The kernel has no
 * struct like this inside: it is an interface for programs and stays as it is, so nothing needs
 * correcting. */
struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct task_struct {
	pid_t tgid;
	struct task_struct *real_parent;
	const struct cred *cred;
	char comm[16];
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop

#endif
