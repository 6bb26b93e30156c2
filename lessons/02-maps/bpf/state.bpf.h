// All that the programs keep between two events: global variables and maps.
#pragma once
#include "event.bpf.h"

// ANCHOR: globals
// Read-only for the program: user space sets it before it loads the program.
SEC(".rodata.watched") const volatile struct watched watched = {};

// User space sets this one while the program runs.
SEC(".data.paused") volatile __u64 paused = 0;

// The program writes these, on several CPUs at once.
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
