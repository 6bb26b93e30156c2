// The first program that is executed allocates a page of the arena, each further one is counted in
// it.

typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __arena __attribute__((address_space(1)))

enum { BPF_MAP_TYPE_ARENA = 33, BPF_F_MMAPABLE = 1 << 10, NUMA_NO_NODE = -1 };

struct {
    __uint(type, BPF_MAP_TYPE_ARENA);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 16);
} arena SEC(".maps");

void __arena *bpf_arena_alloc_pages(void *map, void __arena *address, u32 pages, int node,
                                    u64 flags) __attribute__((section(".ksyms")));

u64 __arena *page;
u64 allocation_failed, executed, in_arena;

SEC("lsm.s/bprm_committed_creds")
int program_executed(u64 *ctx) {
    if (!page) {
        page = bpf_arena_alloc_pages(&arena, 0, 1, NUMA_NO_NODE, 0);
        if (!page)
            allocation_failed++;
        return 0;
    }
    executed++;
    (*page)++;
    in_arena = *page;
    return 0;
}

char _license[] SEC("license") = "GPL";
