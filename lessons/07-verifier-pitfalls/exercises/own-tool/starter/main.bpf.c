// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The eBPF program: write all of it. These are the parts that each has.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";
