// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct sock;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} started SEC(".maps");

SEC("fentry/tcp_connect")
int BPF_PROG(register_spill, struct sock *sk)
{
	u64 now = bpf_ktime_get_ns();
	/* This keeps half of the address. */
	u32 socket = (u64)sk;

	bpf_map_update_elem(&started, &socket, &now, BPF_ANY);
	return 0;
}
