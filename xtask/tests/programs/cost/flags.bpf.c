// Each flag adds its own size, and the sum is an index: a path for each sum. With WITHOUT_BRANCHES:
// as the advice on it says.
#include "bpf.h"

struct table {
    u8 bytes[256];
};

ARRAY_OF_ONE(tables, struct table);

// Keeps the compiler from making one expression of all.
#define keep(value) asm volatile("" : "+r"(value))

SEC("tc") int flags(struct __sk_buff *skb)
{
    u32 key = 0;
    struct table *table = bpf_map_lookup_elem(&tables, &key);

    if (!table)
        return 0;
    u64 flags = skb->mark;
    u64 at = 0;
#ifdef WITHOUT_BRANCHES
    at = flags & 63;
#else
    if (flags & 1)
        at += 3;
    keep(at);
    if (flags & 2)
        at += 5;
    keep(at);
    if (flags & 4)
        at += 6;
    keep(at);
    if (flags & 8)
        at += 7;
    keep(at);
    if (flags & 16)
        at += 9;
    keep(at);
    if (flags & 32)
        at += 11;
    keep(at);
    if (flags & 64)
        at += 13;
    keep(at);
    if (flags & 128)
        at += 17;
    keep(at);
#endif
    return table->bytes[at];
}
