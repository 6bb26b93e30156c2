// An array of programs that the loader fills.
#include "bpf.h"

int leaf(void *ctx);

struct {
    __uint(type, PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int(void *));
} table SEC(".maps") = { .values = { [0] = (void *)&leaf } };

SEC("xdp") int leaf(void *ctx)
{
    return 2;
}

SEC("xdp") int entry(void *ctx)
{
    bpf_tail_call(ctx, &table, 0);
    return 1;
}

SEC("xdp") int refused(void *ctx)
{
    bpf_tail_call(ctx, &table, 0);
    return *(volatile int *)0;
}

// libbpf loads it, and not only the library's function for one program.
SEC("usdt") int probe(void *ctx)
{
    bpf_tail_call(ctx, &table, 0);
    return 0;
}
