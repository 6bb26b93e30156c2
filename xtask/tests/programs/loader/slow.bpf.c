// The verifier follows every round of the loop.
#include "bpf.h"

SEC("xdp") int before(void *ctx)
{
    return 2;
}

SEC("xdp") int slow(void *ctx)
{
    // The verifier copies and compares a full stack in each round.
    volatile long filled[24] = {};
    volatile long sum = 0;

#pragma clang loop unroll(disable)
    for (int i = 0; i < 240000; i++)
        sum = i;
    return 2;
}

SEC("xdp") int after(void *ctx)
{
    return 2;
}
