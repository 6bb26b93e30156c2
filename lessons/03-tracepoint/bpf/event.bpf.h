// The same struct as in src/event.rs, which explains its fields.
#pragma once

enum way { TRACEPOINT, RAW, BTF };

#define UNKNOWN ((__u32)-1)

struct event {
	__u64 time;
	__u32 way;
	__u32 pid;
	__u32 old_pid;
	__u32 ppid;
	__u32 uid;
	char comm[16];
	char filename[252];
};
_Static_assert(sizeof(struct event) == 296, "src/event.rs has the same layout");
