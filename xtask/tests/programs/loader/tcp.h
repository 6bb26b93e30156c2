// A table of functions of TCP, and programs for it.
#include "bpf.h"

struct tcp_congestion_ops {
    unsigned int (*ssthresh)(void *sk);
    void (*cong_avoid)(void *sk, unsigned int ack, unsigned int acked);
    unsigned int (*undo_cwnd)(void *sk);
    char name[16];
};

SEC("struct_ops") unsigned int ssthresh(void *ctx) { return 2; }
SEC("struct_ops") void cong_avoid(void *ctx) {}
SEC("xdp") int other(void *ctx) { return 2; }

#define TABLE                                                                                      \
    {                                                                                              \
        .ssthresh = (void *)ssthresh, .cong_avoid = (void *)cong_avoid,                            \
        .undo_cwnd = (void *)undo_cwnd, .name = "loader_test",                                     \
    }
