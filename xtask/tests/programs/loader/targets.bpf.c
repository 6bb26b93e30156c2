// Programs that must be told what they attach to before they are loaded.
#include "bpf.h"

__noinline int replaceable(int number)
{
    volatile int result = number;

    return result;
}

SEC("socket") int caller(int *ctx)
{
    return replaceable(*ctx) ? 2 : 1;
}

SEC("fentry") int function(void *ctx) { return 0; }
SEC("lsm") int hook(void *ctx) { return 0; }
SEC("tp_btf") int event(void *ctx) { return 0; }
SEC("iter") int iterator(void *ctx) { return 0; }
SEC("fexit/dummy_function") int changed(void *ctx) { return 0; }
