// What cilium/ebpf takes and libbpf does not.
#include "bpf.h"

struct event {
    int pid;
};

struct {
    __uint(type, RINGBUF);
    __uint(max_entries, 4096);
    __type(value, struct event);
} typed SEC(".maps");

SEC("kprobe/do_sys_openat2") int ring(void *ctx)
{
    struct event *event = bpf_ringbuf_reserve(&typed, sizeof *event, 0);

    if (event)
        bpf_ringbuf_submit(event, 0);
    return 0;
}

SEC("classifier/ingress") int ingress(void *ctx)
{
    return 0;
}

SEC("socket/x") int filter(void *ctx)
{
    return 0;
}

SEC("xdp_mine") static int pass(void *ctx)
{
    return 2;
}

SEC("nonsense") int unknown(void *ctx)
{
    return 0;
}
