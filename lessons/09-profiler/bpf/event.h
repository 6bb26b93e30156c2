/* What the eBPF program counts; src/event.rs has the same in Rust. */
#ifndef __EVENT_H__
#define __EVENT_H__

// As many frames as the kernel keeps of a stack: the innermost ones.
#define MAX_FRAMES 127

// All samples that have this in common are one entry of the hash map.
struct sample_key {
	__u32 pid;
	__s32 user_stack; // keys of the stack-trace map, or the negative numbers of errors
	__s32 kernel_stack;
	char comm[16];
};

// What the program counted on one CPU.
struct sample_totals {
	__u64 samples;
	__u64 idle; // the CPU had nothing to do; not part of `samples`
	__u64 uncounted; // samples whose key did not fit into the hash map
};

#endif
