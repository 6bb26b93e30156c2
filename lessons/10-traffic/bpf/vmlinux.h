// The few lines of vmlinux.h that this lesson needs, and a few #defines that BTF does not have. The
// everyday way is the whole file, about 3 MB:
//
//     bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h
//
// Nothing here depends on the running kernel: the layout of the headers is set by network
// standards, and the three contexts are part of the kernel's stable interface.
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

enum {
	false,
	true,
};

enum bpf_map_type {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
};

enum {
	BPF_ANY = 0,
};

enum {
	BPF_F_RECOMPUTE_CSUM = 1,
};

enum {
	BPF_F_PSEUDO_HDR = 16,
	BPF_F_MARK_MANGLED_0 = 32,
};

enum {
	BPF_SOCK_OPS_TCP_CONNECT_CB = 3,
};

#define TC_ACT_UNSPEC -1
#define TC_ACT_SHOT 2

#define SOL_TCP 6
#define TCP_USER_TIMEOUT 18

#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

// In frag_off: more fragments follow; where this one begins.
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

// In the 14th byte of a TCP header.
#define TCPHDR_SYN 0x02
#define TCPHDR_ACK 0x10

#define ICMP_ECHO 8

enum {
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
};

struct __sk_buff {
	__u32 before[12];
	__u32 cb[5];
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port;
};

struct bpf_sock_ops {
	__u32 op;
	__u32 args[4];
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
};

struct iphdr {
	__u8 ihl : 4;
	__u8 version : 4;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};

#endif
