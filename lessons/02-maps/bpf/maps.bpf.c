// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Kernel side: reports each change of a name below one directory.
//
// The hooks are the kernel's security checks: every change of a directory passes one of them,
// whatever the system call and the file system, and those arguments that we use are the same from
// Linux 5.10 to 7.3. They come before the change, which can still fail.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// A name has at most 255 bytes, on every file system; the kernel puts a zero after it.
#define NAME_SIZE 256
// How many folders up the program looks. The verifier wants to see that a loop ends.
#define LEVELS 16
// How much of a name the table of recent names keeps.
#define KEY_SIZE 64

enum kind { CREATE, MKDIR, MKNOD, SYMLINK, LINK, UNLINK, RMDIR, RENAME_FROM, RENAME_TO };

// The layouts of ebpf/src/records.rs, where the fields are explained.
struct watched {
	__u64 inode;
	__u64 device;
};

struct change {
	__u32 kind;
	__u32 pid;
	char process[16];
	char names[LEVELS * NAME_SIZE];
};

struct process {
	__u64 changes;
	char process[16];
};

struct recent {
	__u64 changes;
	__u64 last;
};

struct counters {
	__u64 changes;
	__u64 lost;
	__u64 uncounted;
	__u64 too_deep;
};

// ANCHOR: globals
// Read-only here: user space fills it in before the program is loaded.
SEC(".rodata.watched") const volatile struct watched watched = {};

// The 16 bytes of a process's name, or zeros for every process. The verifier knows the value. Where
// it is zero, it removes the comparison: on Linux 6.12, `bpftool prog` then shows 7 of 253
// instructions less.
SEC(".rodata.process") const volatile __u64 only_process[2] = {};

// User space writes this one while the program runs.
SEC(".data.paused") __u64 paused = 0;

// The program writes these, on several CPUs at a time.
SEC(".data.counters") struct counters counters = {};
// ANCHOR_END: globals

// ANCHOR: maps
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} changes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, char[KEY_SIZE]);
	__type(value, struct recent);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct change);
} scratch SEC(".maps");
// ANCHOR_END: maps

// ANCHOR: add
// Adds one, while other CPUs may do the same. Linux 5.10 knows no atomic addition that returns
// something, and the relaxed one is what becomes the plain instruction.
static void add(__u64 *number)
{
	__atomic_fetch_add(number, 1, __ATOMIC_RELAXED);
}
// ANCHOR_END: add

static int is_wanted(const char *process)
{
	const __u64 *words = (const __u64 *)process;

	if (only_process[0] == 0 && only_process[1] == 0)
		return 1;
	return words[0] == only_process[0] && words[1] == only_process[1];
}

// ANCHOR: walk
// Collects the names on the way up to the watched directory: how many bytes they take, or 0 for
// elsewhere.
static __u64 collect_names(struct dentry *dentry, char *names)
{
	__u64 used = 0;

	for (int level = 0; level < LEVELS; level++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		long length = bpf_probe_read_kernel_str(names + used, NAME_SIZE, BPF_CORE_READ(dentry, d_name.name));

		if (length < 0 || parent == dentry)
			return 0;
		used += length;
		if (BPF_CORE_READ(parent, d_inode, i_ino) == watched.inode)
			return used;
		dentry = parent;
	}
	add(&counters.too_deep);
	return 0;
}
// ANCHOR_END: walk

// ANCHOR: send
static void send(struct change *change, __u64 length)
{
	add(&counters.changes);
	if (bpf_ringbuf_output(&changes, change, offsetof(struct change, names) + length, 0) < 0)
		add(&counters.lost);
}
// ANCHOR_END: send

// ANCHOR: hash
static void count_process(struct change *change)
{
	struct process new = {}, *process;

	__builtin_memcpy(new.process, change->process, sizeof(new.process));
	// Fails where the process has an entry, which is right, and where the table is full.
	bpf_map_update_elem(&processes, &change->pid, &new, BPF_NOEXIST);
	process = bpf_map_lookup_elem(&processes, &change->pid);
	add(process ? &process->changes : &counters.uncounted);
}
// ANCHOR_END: hash

// ANCHOR: lru
static void remember_name(struct change *change)
{
	struct recent new = {}, *name;
	char key[KEY_SIZE] = {};

	bpf_probe_read_kernel_str(key, sizeof(key), change->names);
	// Never full: names that were not used for long make room.
	bpf_map_update_elem(&recent, key, &new, BPF_NOEXIST);
	name = bpf_map_lookup_elem(&recent, key);
	if (!name)
		return;
	add(&name->changes);
	name->last = bpf_ktime_get_ns();
}
// ANCHOR_END: lru

// ANCHOR: scratch
static int changed(enum kind kind, struct dentry *dentry)
{
	char process[16];
	struct change *change;
	__u32 first = 0;
	__u64 length;

	if (paused)
		return 0;
	bpf_get_current_comm(process, sizeof(process));
	if (!is_wanted(process) || BPF_CORE_READ(dentry, d_sb, s_dev) != watched.device)
		return 0;
	// Of 4 KiB. On the stack, which has 512 bytes, this does not even compile: "Looks like the
	// BPF stack limit is exceeded. Please move large on stack variables into BPF per-cpu array
	// map." Nobody disturbs us in this array: each CPU has its own, and runs one kprobe program
	// at a time, to its end.
	change = bpf_map_lookup_elem(&scratch, &first);
	if (!change)
		return 0;
	length = collect_names(dentry, change->names);
	if (!length)
		return 0;
	change->kind = kind;
	change->pid = bpf_get_current_pid_tgid() >> 32;
	__builtin_memcpy(change->process, process, sizeof(process));
	send(change, length);
	count_process(change);
	remember_name(change);
	return 0;
}
// ANCHOR_END: scratch

SEC("kprobe")
int BPF_KPROBE(on_create, struct inode *dir, struct dentry *dentry)
{
	return changed(CREATE, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_mkdir, struct inode *dir, struct dentry *dentry)
{
	return changed(MKDIR, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_mknod, struct inode *dir, struct dentry *dentry)
{
	return changed(MKNOD, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_symlink, struct inode *dir, struct dentry *dentry)
{
	return changed(SYMLINK, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_link, struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	return changed(LINK, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_unlink, struct inode *dir, struct dentry *dentry)
{
	return changed(UNLINK, dentry);
}

// ANCHOR: hooks
SEC("kprobe")
int BPF_KPROBE(on_rmdir, struct inode *dir, struct dentry *dentry)
{
	return changed(RMDIR, dentry);
}

SEC("kprobe")
int BPF_KPROBE(on_rename, struct inode *from_dir, struct dentry *from, struct inode *to_dir, struct dentry *to)
{
	// Each half is a change of its own: only one of the two may be below the directory.
	changed(RENAME_FROM, from);
	return changed(RENAME_TO, to);
}
// ANCHOR_END: hooks
