// The verifier knows the size of an array: it is left as it is.
#include "bpf.h"

struct {
    __uint(type, ARRAY);
    __uint(max_entries, 100000000);
    __type(key, int);
    __type(value, long);
} large SEC(".maps");

SEC("xdp") int pass(void *ctx)
{
    int key = 0;

    return bpf_map_lookup_elem(&large, &key) ? 2 : 1;
}
