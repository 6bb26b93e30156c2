// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Nobody may make a file setuid or setgid: whoever executes such a file gets the rights of its
// owner or group.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define EPERM 1
#define S_ISUID 04000
#define S_ISGID 02000

/* chmod(2) and similar calls come here with the new mode of the file. */
SEC("lsm/path_chmod")
int BPF_PROG(no_setuid, const struct path *path, umode_t mode, int previous)
{
	if (previous)
		return previous;
	if (mode & (S_ISUID | S_ISGID))
		return -EPERM;
	return 0;
}
