/* Enough of the kernel's types of tables for libbpf to find the rest. */

struct sock;
struct tcp_congestion_ops {
	unsigned int (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, unsigned int ack, unsigned int acked);
	unsigned int (*undo_cwnd)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));
struct sched_ext_ops {
	int (*init)(void);
	char name[128];
} __attribute__((preserve_access_index));
