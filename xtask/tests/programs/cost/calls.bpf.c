// A static function that is called at several places. With GLOBAL: as the advice on it says.
#include "bpf.h"

#ifdef GLOBAL
__noinline int mix(u32 seed)
#else
static __noinline int mix(u32 seed)
#endif
{
    u32 hash = seed;

#pragma unroll
    for (int round = 0; round < 24; round++) {
        hash ^= hash << 13;
        hash ^= hash >> 17;
        hash += seed;
    }
    return hash & 63;
}

SEC("tc") int calls(struct __sk_buff *skb)
{
    u32 sum = 0;

    sum += mix(skb->len);
    sum += mix(skb->mark);
    sum += mix(skb->protocol);
    sum += mix(skb->queue_mapping);
    sum += mix(skb->hash);
    sum += mix(skb->priority);
    sum += mix(skb->ifindex);
    sum += mix(skb->tc_index);

    return sum == 7;
}
