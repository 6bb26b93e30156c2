// A table that no kernel has.
#include "bpf.h"

struct no_such_ops {
    int (*function)(void *ctx);
};

SEC("struct_ops") int member(void *ctx) { return 0; }
SEC("xdp") int other(void *ctx) { return 2; }

SEC(".struct_ops") struct no_such_ops table = { .function = (void *)member };
