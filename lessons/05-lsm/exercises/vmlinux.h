/* The few lines of vmlinux.h that these exercises need. Lesson 03 says where the whole file comes
 * from. */
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
typedef unsigned short umode_t;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

/* For bpf_map_update_elem: create the entry, or replace it. */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

/* Programs only pass on pointers to these. */
struct path;
struct socket;

/* The start of every address of IPv4 and IPv6. It is part of the interface with user programs, so
 * it never changes. */
struct sockaddr_in {
	__u16 sin_family;
	__be16 sin_port;
};

#endif
