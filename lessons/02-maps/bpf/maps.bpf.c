// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Reports each change of a name in one directory and in the directories under it.
//
// The hooks are the kernel's security checks: every change of a directory passes one of them,
// whatever the system call and the file system, and those arguments that we use are the same from
// Linux 5.10 to 7.3. They come before the change, which can still fail.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "count.bpf.h"
#include "path.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// ANCHOR: scratch
static int report(enum kind kind, struct dentry *dentry)
{
	struct change *change;
	__u32 first = 0;
	__u64 length;

	if (paused || read_device(dentry) != watched.device)
		return 0;
	// A struct change has 4 KiB. As a local variable it does not even compile, because the
	// stack has 512 bytes: "Looks like the BPF stack limit is exceeded. Please move large on
	// stack variables into BPF per-cpu array map." Nobody else uses this one: each CPU has its
	// own, and a kprobe program runs to its end before the next begins on that CPU.
	change = bpf_map_lookup_elem(&scratch, &first);
	if (!change)
		return 0;
	length = collect_names(dentry, change->names);
	if (!length)
		return 0;
	change->kind = kind;
	change->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(change->comm, sizeof(change->comm));
	send(change, length);
	count_process(change);
	remember_name(change);
	return 0;
}
// ANCHOR_END: scratch

SEC("kprobe")
int BPF_KPROBE(on_create, struct inode *dir, struct dentry *dentry)
{
	return report(CREATE, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_mkdir, struct inode *dir, struct dentry *dentry)
{
	return report(MKDIR, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_mknod, struct inode *dir, struct dentry *dentry)
{
	return report(MKNOD, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_symlink, struct inode *dir, struct dentry *dentry)
{
	return report(SYMLINK, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_unlink, struct inode *dir, struct dentry *dentry)
{
	return report(UNLINK, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_rmdir, struct inode *dir, struct dentry *dentry)
{
	return report(RMDIR, dentry);
}

// ANCHOR: hooks
SEC("kprobe")
int BPF_KPROBE(on_link, struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	return report(LINK, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_rename, struct inode *from_dir, struct dentry *from, struct inode *to_dir,
	       struct dentry *to)
{
	// Two changes: perhaps only one of the two names is in the directory.
	report(RENAME_FROM, from);
	return report(RENAME_TO, to);
}
// ANCHOR_END: hooks
