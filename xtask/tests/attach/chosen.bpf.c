/* Programs that are attached to what an object itself has: a map to walk over, tables that share a
 * program, and beside them a table of a type that few kernels have. */

#include "program.h"
#include "tables.h"

struct {
	int (*type)[1];
	int (*max_entries)[4];
	unsigned int *key;
	unsigned long *value;
} counts SEC(".maps");

SEC("iter/bpf_map_elem") int dump(void *ctx) { return 0; }

SEC("struct_ops") int shared(void *ctx) { return 0; }
SEC("struct_ops") int avoid(void *ctx) { return 0; }
SEC("struct_ops") int undo(void *ctx) { return 0; }
SEC("struct_ops") int linked_only(void *ctx) { return 0; }
SEC("struct_ops.s") int scheduler_init(void *ctx) { return 0; }

SEC(".struct_ops") struct tcp_congestion_ops complete = {
	.ssthresh = (void *)shared,
	.cong_avoid = (void *)avoid,
	.undo_cwnd = (void *)undo,
	.name = "bpf_complete",
};
/* The kernel refuses congestion control that lacks functions. */
SEC(".struct_ops") struct tcp_congestion_ops lacking = {
	.ssthresh = (void *)shared,
	.name = "bpf_lacking",
};
SEC(".struct_ops.link") struct tcp_congestion_ops linked = {
	.ssthresh = (void *)linked_only,
	.cong_avoid = (void *)avoid,
	.undo_cwnd = (void *)undo,
	.name = "bpf_linked",
};
SEC(".struct_ops.link") struct sched_ext_ops scheduler = {
	.init = (void *)scheduler_init,
	.name = "nothing",
};
