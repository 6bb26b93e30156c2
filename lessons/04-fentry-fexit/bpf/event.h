/* What the eBPF programs tell the user-space program; src/event.rs has the same in Rust. */
#ifndef __EVENT_H__
#define __EVENT_H__

// Which pair of programs saw a call.
#define FEXIT 0
#define KRETPROBE 1

struct event {
	__u64 start; // 0: unknown, because the map was full
	__u64 took;
	__u64 flags;
	__u32 seen_by; // FEXIT or KRETPROBE
	__u32 pid;
	__u32 parent;
	__s32 result;
	char comm[16];
	char filename[128];
};

struct totals {
	__u64 calls;
	__u64 lost;
	__u64 no_room;
	__u64 latency[64];
};

#endif
