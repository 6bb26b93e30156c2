// Types of programs, of which a kernel has some.
#include "bpf.h"

SEC("xdp.frags") int frags(void *ctx) { return 2; }
SEC("syscall") int of_syscall(void *ctx) { return 0; }
SEC("netfilter") int of_netfilter(void *ctx) { return 1; }
SEC("cgroup/connect_unix") int connect_unix(void *ctx) { return 1; }
SEC("lsm_cgroup/socket_bind") int lsm_cgroup(void *ctx) { return 1; }
SEC("fsession/vfs_open") int fsession(void *ctx) { return 0; }
SEC("fentry/do_unlinkat") int fentry(void *ctx) { return 0; }
SEC("lsm/no_such_hook") int lsm(void *ctx) { return 0; }
SEC("tp_btf/no_such_event") int tp_btf(void *ctx) { return 0; }
SEC("fentry/no_such:function") int module(void *ctx) { return 0; }
SEC("kprobe.multi/vfs_*") int wildcard(void *ctx) { return 0; }
SEC("kprobe/vfs_read+0x10") int offset(void *ctx) { return 0; }
SEC("uprobe//bin/a b:main") int spaces(void *ctx) { return 0; }
SEC("sk_lookup") int of_sk_lookup(void *ctx) { return 1; }
