// A table that a link registers.
#include "tcp.h"

SEC("struct_ops") unsigned int undo_cwnd(void *ctx) { return 2; }

SEC(".struct_ops.link") struct tcp_congestion_ops control = TABLE;
