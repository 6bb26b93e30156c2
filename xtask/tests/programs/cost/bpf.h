// What these programs need of libbpf's headers.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __noinline __attribute__((noinline))
#define ARRAY_OF_ONE(name, content)                                                                \
    struct {                                                                                       \
        int (*type)[2];                                                                            \
        int (*max_entries)[1];                                                                     \
        u32 *key;                                                                                  \
        content *value;                                                                            \
    } name SEC(".maps")

struct __sk_buff {
    u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
    u32 ingress_ifindex, ifindex, tc_index, cb[5], hash;
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_loop)(u32 rounds, void *round, void *context, u64 flags) = (void *)181;

char _license[] SEC("license") = "GPL";
