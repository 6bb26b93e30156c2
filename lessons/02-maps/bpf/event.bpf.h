// The same structs as in src/event.rs, which explains their fields.
#pragma once

#define NAME_SIZE 256
#define LEVELS 16
#define KEY_SIZE 64

enum kind { CREATE, MKDIR, MKNOD, SYMLINK, LINK, UNLINK, RMDIR, RENAME_FROM, RENAME_TO };

struct watched {
	__u64 inode;
	__u64 device;
};

// ANCHOR: records
struct change {
	__u32 kind;
	__u32 pid;
	char comm[16];
	char names[LEVELS * NAME_SIZE];
};

struct process {
	__u64 changes;
	char comm[16];
};

struct recent {
	__u64 changes;
	__u64 last;
};
// ANCHOR_END: records

struct counters {
	__u64 changes;
	__u64 lost;
	__u64 uncounted;
	__u64 too_deep;
};
