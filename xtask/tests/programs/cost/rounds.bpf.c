// A loop whose counter the verifier must know exactly. With BPF_LOOP: as the advice on it says.
#include "bpf.h"

#ifndef SLOTS
#define SLOTS 20
#endif

struct table {
    u64 slots[SLOTS];
};

ARRAY_OF_ONE(tables, struct table);

struct sum {
    struct table *table;
    u64 total;
};

#ifdef BPF_LOOP
static long add_slot(u32 slot, void *context)
{
    struct sum *sum = context;

    if (slot >= SLOTS)
        return 1;
    if (sum->table->slots[slot] > 100)
        sum->total += sum->table->slots[slot];
    return 0;
}
#endif

SEC("tc") int rounds(struct __sk_buff *skb)
{
    u32 key = 0;
    struct sum sum = {bpf_map_lookup_elem(&tables, &key), 0};

    if (!sum.table)
        return 0;
#ifdef BPF_LOOP
    bpf_loop(SLOTS, add_slot, &sum, 0);
#else
#pragma clang loop unroll(disable)
    for (u32 slot = 0; slot < SLOTS; slot++) {
        if (sum.table->slots[slot] > 100)
            sum.total += sum.table->slots[slot];
    }
#endif
    return sum.total > 1000;
}
