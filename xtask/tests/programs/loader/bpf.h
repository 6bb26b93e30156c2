// What libbpf's headers define, as far as these objects need it.

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
#define __kconfig __attribute__((section(".kconfig")))
#define __weak __attribute__((weak))
#define __noinline __attribute__((noinline))
#define preserve __attribute__((preserve_access_index))

enum map_type { HASH = 1, ARRAY = 2, PROG_ARRAY = 3, STACK_TRACE = 7, RINGBUF = 27, ARENA = 33 };

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_tail_call)(void *ctx, void *map, unsigned int index) = (void *)12;
static long (*bpf_get_stackid)(void *ctx, void *map, unsigned long flags) = (void *)27;
static void *(*bpf_ringbuf_reserve)(void *map, unsigned long size, unsigned long flags) =
    (void *)131;
static void (*bpf_ringbuf_submit)(void *data, unsigned long flags) = (void *)132;

char _license[] SEC("license") = "GPL";
