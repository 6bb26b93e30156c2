// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A policy: processes that descend from the policy's command may not open the files under one
// directory, and may not carry them out of there.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "path.h"
#include "report.h"
#include "tree.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define EPERM 1
#define FMODE_EXEC 0x20 // in f_flags: the file is opened to be executed

// User space sets this before it loads the programs; after that it is a constant.
const volatile __u32 audit;

// ANCHOR: verdict
static __always_inline int verdict(__u32 action, struct dentry *dentry)
{
	if (!is_covered())
		return 0;
	int steps = steps_to_dir(dentry);
	if (steps == OUTSIDE)
		return 0;
	report_access(action, dentry, steps, !audit);
	// The verifier knows audit, and so what is returned. If it were a variable, Linux 6.12
	// alone could not follow the shift that clang 22 makes of `condition ? -1 : 0`, and would
	// refuse the program.
	return audit ? 0 : -EPERM;
}
// ANCHOR_END: verdict

// ANCHOR: open
// An execution opens its file too, before the hook bprm_check_security: a file that is denied here
// never gets there.
SEC("lsm/file_open")
int BPF_PROG(guard_open, struct file *file, int previous)
{
	if (previous)
		return previous;
	return verdict(file->f_flags & FMODE_EXEC ? EXEC : OPEN, file->f_path.dentry);
}
// ANCHOR_END: open

// ANCHOR: carry
// Without these two a covered process could give the file a name outside, and open it there.
SEC("lsm/inode_rename")
int BPF_PROG(guard_rename, struct inode *from, struct dentry *dentry, struct inode *to,
	     struct dentry *target, int previous)
{
	return previous ? previous : verdict(RENAME, dentry);
}

SEC("lsm/inode_link")
int BPF_PROG(guard_link, struct dentry *dentry, struct inode *to, struct dentry *target,
	     int previous)
{
	return previous ? previous : verdict(LINK, dentry);
}
// ANCHOR_END: carry

// ANCHOR: witness
// The last argument is the verdict of the programs that were asked before. A program must not
// revoke it.
SEC("lsm/file_open")
int BPF_PROG(witness_open, struct file *file, int previous)
{
	if (is_covered() && steps_to_dir(file->f_path.dentry) != OUTSIDE)
		add_count(previous ? ASKED_WITH_VERDICT : ASKED_WITH_ZERO);
	return previous;
}
// ANCHOR_END: witness
