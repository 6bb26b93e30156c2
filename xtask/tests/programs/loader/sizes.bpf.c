// Maps that no kernel takes as they are, or that are too large for a guest.
#include "bpf.h"

struct {
    __uint(type, HASH);
    __type(key, int);
    __type(value, long);
} later SEC(".maps");

struct {
    __uint(type, RINGBUF);
} ring SEC(".maps");

struct {
    __uint(type, HASH);
    __uint(max_entries, 3000000);
    __type(key, long);
    __type(value, long);
} huge SEC(".maps");

struct {
    __uint(type, STACK_TRACE);
    __uint(key_size, 4);
} stacks SEC(".maps");

SEC("kprobe/vfs_read") int use_stacks(void *ctx)
{
    return bpf_get_stackid(ctx, &stacks, 0);
}

SEC("xdp") int use_later(void *ctx)
{
    int key = 0;

    return bpf_map_lookup_elem(&later, &key) ? 2 : 1;
}

SEC("xdp") int use_huge(void *ctx)
{
    long key = 0;

    return bpf_map_lookup_elem(&huge, &key) ? 2 : 1;
}

SEC("xdp") int use_ring(void *ctx)
{
    int *event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);

    if (event)
        bpf_ringbuf_submit(event, 0);
    return 2;
}

SEC("xdp") int use_none(void *ctx)
{
    return 2;
}
