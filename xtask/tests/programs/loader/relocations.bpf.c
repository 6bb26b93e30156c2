// Relocations that fail, beside programs that have none.
#include "bpf.h"

struct task_struct {
    int no_such_field;
} preserve;

SEC("raw_tp/sys_enter") int before(void *ctx)
{
    return 0;
}

SEC("tp_btf/sched_switch") int no_field(unsigned long long *ctx)
{
    return ((struct task_struct *)ctx[1])->no_such_field;
}

// libbpf wants functions that programs call in .text.
static __noinline SEC("xdp") int called(int *ctx)
{
    return *(volatile int *)ctx;
}

SEC("xdp") int calls(int *ctx)
{
    return called(ctx) ? 2 : 1;
}

SEC("xdp") int after(void *ctx)
{
    return 2;
}
