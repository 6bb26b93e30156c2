// A type of map that came with Linux 6.9.
#include "bpf.h"

struct {
    __uint(type, ARENA);
    __uint(map_flags, 1 << 10);
    __uint(max_entries, 1);
} arena SEC(".maps");

SEC("syscall") int use_arena(void *ctx)
{
    return *(volatile int *)&arena;
}

SEC("xdp") int other(void *ctx)
{
    return 2;
}
