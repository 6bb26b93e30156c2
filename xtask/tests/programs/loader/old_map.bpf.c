// A map in the form of aya's older macros, without a size.
#include "bpf.h"

static void *(*lookup)(void *map, const void *key) = (void *)1;

struct definition {
    unsigned int type, key_size, value_size, max_entries, map_flags;
};

SEC("maps") struct definition later = { HASH, 4, 8, 0, 0 };

SEC("xdp") int use_later(void *ctx)
{
    int key = 0;

    return lookup(&later, &key) ? 2 : 1;
}
