/* Tables of functions (struct_ops): some that a kernel takes, some that it refuses, and one of a
 * type that no kernel has. */

#include "program.h"
#include "tables.h"

#define FUNCTION(name, section) SEC(section) int name(void *ctx) { return 0; }

struct tcp_congestion_ops___newer {
	unsigned int (*ssthresh)(struct sock *sk);
	void (*no_such_member)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));
struct no_such_ops {
	int (*init)(void);
} __attribute__((preserve_access_index));

FUNCTION(tcp_ssthresh, "struct_ops/tcp_ssthresh")
FUNCTION(tcp_cong_avoid, "struct_ops/tcp_cong_avoid")
FUNCTION(tcp_undo_cwnd, "struct_ops/tcp_undo_cwnd")
FUNCTION(tcp_ssthresh_alone, "struct_ops/tcp_ssthresh_alone")
FUNCTION(tcp_no_such_member, "struct_ops/tcp_no_such_member")
FUNCTION(scheduler_init, "struct_ops.s/scheduler_init")
FUNCTION(unknown_init, "struct_ops/unknown_init")

SEC(".struct_ops") struct tcp_congestion_ops congestion = {
	.ssthresh = (void *)tcp_ssthresh,
	.cong_avoid = (void *)tcp_cong_avoid,
	.undo_cwnd = (void *)tcp_undo_cwnd,
	.name = "bpf_nothing",
};
/* The kernel refuses congestion control that lacks functions. */
SEC(".struct_ops.link") struct tcp_congestion_ops congestion_lacking = {
	.ssthresh = (void *)tcp_ssthresh_alone,
	.name = "bpf_lacking",
};
SEC(".struct_ops") struct tcp_congestion_ops___newer congestion_newer = {
	.no_such_member = (void *)tcp_no_such_member,
	.name = "bpf_newer",
};
SEC(".struct_ops.link") struct sched_ext_ops scheduler = {
	.init = (void *)scheduler_init,
	.name = "nothing",
};
SEC(".struct_ops.link") struct no_such_ops unknown = {
	.init = (void *)unknown_init,
};
