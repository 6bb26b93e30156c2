/* The few lines of vmlinux.h that the program needs. This makes the whole file, about 3 MB:
 *
 *     bpftool btf dump file /sys/kernel/btf/vmlinux format c > bpf/vmlinux.h
 *
 * Take it when you need more of the kernel's types. That of Linux 7.3 needs the option
 * -fms-extensions in build.rs.
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
	BPF_MAP_TYPE_PERCPU_HASH = 5,
};

enum {
	BPF_ANY = 0,
};

#endif
