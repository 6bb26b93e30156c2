// Each opened file starts a timer and is counted in the storage of the task that opened it.

typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_TASK_STORAGE = 29 };
enum { BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1, CLOCK_MONOTONIC = 1 };

struct task_struct;
static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)1;
static void *(*bpf_task_storage_get)(void *, struct task_struct *, void *, u64) = (void *)156;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static long (*bpf_timer_init)(void *, void *, u64) = (void *)169;
static long (*bpf_timer_set_callback)(void *, void *) = (void *)170;
static long (*bpf_timer_start)(void *, u64, u64) = (void *)171;

struct bpf_timer {
    u64 opaque[2];
} __attribute__((aligned(8)));

struct alarm {
    struct bpf_timer timer;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, struct alarm);
} alarms SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, u64);
} opens_of_task SEC(".maps");

u64 opened, timer_failed, fired, storage_failed, opened_again;

static int ring(void *map, u32 *key, struct alarm *alarm) {
    __sync_fetch_and_add(&fired, 1);
    return 0;
}

SEC("fentry/do_sys_openat2")
int file_opened(u64 *ctx) {
    u32 index = __sync_fetch_and_add(&opened, 1);
    struct alarm *alarm = bpf_map_lookup_elem(&alarms, &index);
    if (!alarm)
        return 0;
    if (bpf_timer_init(&alarm->timer, &alarms, CLOCK_MONOTONIC) ||
        bpf_timer_set_callback(&alarm->timer, ring) || bpf_timer_start(&alarm->timer, 1000, 0))
        __sync_fetch_and_add(&timer_failed, 1);

    u64 *opens = bpf_task_storage_get(&opens_of_task, bpf_get_current_task_btf(), 0,
                                      BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!opens)
        __sync_fetch_and_add(&storage_failed, 1);
    else if ((*opens)++)
        __sync_fetch_and_add(&opened_again, 1);
    return 0;
}

char _license[] SEC("license") = "GPL";
