// One of its programs is refused: it follows a null pointer.
#include "tcp.h"

SEC("struct_ops") unsigned int undo_cwnd(void *ctx) { return *(volatile int *)0; }

SEC(".struct_ops") struct tcp_congestion_ops control = TABLE;
