/* What the kernel side tells the user side; src/event.rs says the same in Rust. */
#ifndef __EVENT_H__
#define __EVENT_H__

enum way {
	FEXIT = 0,
	KRETPROBE = 1,
};

struct event {
	__u64 start; // 0: there was no room to note it
	__u64 took;
	__u64 flags;
	__u32 way;
	__u32 pid;
	__u32 tid;
	__u32 parent;
	__s32 dirfd;
	__s32 result;
	char comm[16];
	char file[128];
};

struct totals {
	__u64 calls;
	__u64 lost;
	__u64 no_room;
	__u64 latency[64];
};

#endif
