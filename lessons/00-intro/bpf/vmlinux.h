/* The few lines of vmlinux.h that this lesson needs; lesson 01 says more about it. */
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

enum xdp_action {
	XDP_PASS = 2,
};

struct xdp_md;

#endif
